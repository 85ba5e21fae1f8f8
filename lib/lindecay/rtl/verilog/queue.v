// Spike queue of one macro: two banks, one fills while the other is read.
module queue #(parameter RW = 8, DEPTH = 64, DW = 6) (
  input clk, rst, push, swap, pop, input [RW-1:0] row,
  output [RW-1:0] head, output empty
);
  reg [RW-1:0] held [0:2*DEPTH-1];
  reg [DW-1:0] filled, there, read;
  reg bank;
  assign empty = read == there;
  assign head = held[(bank ? DEPTH : 0) + read];
  always @(posedge clk)
    if (rst) begin
      filled <= 0;
      there <= 0;
      read <= 0;
      bank <= 1'b0;
    end else begin
      if (push) begin
        held[(bank ? 0 : DEPTH) + filled] <= row;
        filled <= filled + 1'b1;
      end
      if (swap) begin
        bank <= ~bank;
        there <= filled;
        filled <= 0;
        read <= 0;
      end else if (pop) read <= read + 1'b1;
    end
endmodule
