// Row decoder of one port: base of a space plus an offset, one wordline.
module decoder #(parameter ROWS = 256, RW = 8) (
  input on, input [RW-1:0] base, offset, output [ROWS-1:0] wl
);
  wire [RW-1:0] row = base + offset;
  assign wl = on ? {{(ROWS-1){1'b0}}, 1'b1} << row : {ROWS{1'b0}};
endmodule
