// Walks one macro through a program: once, or once for every spike in its queue.
`include "language.vh"
module sequencer #(parameter LINES = 1, PCW = 9, RW = 8, ROM = "rom.hex") (
  input clk, rst, go, queued, input [PCW-1:0] start,
  input empty, input [RW-1:0] head, output pop,
  output [`LINE-1:0] line, output reg run, output reg [RW-1:0] weight, output ends
);
  reg [`LINE-1:0] rom [0:LINES-1];
  initial $readmemh(ROM, rom);
  reg [PCW-1:0] pc, first;
  reg many;
  wire [`LINE-1:0] here = rom[pc];
  assign line = run ? here : {`LINE{1'b0}};
  wire last = here[`AT_LAST], again = many & ~empty;
  assign ends = ~run | (last & ~again);
  assign pop = (go & queued & ~empty) | (run & last & again);
  always @(posedge clk)
    if (rst) begin
      run <= 1'b0;
      many <= 1'b0;
      pc <= 0;
      first <= 0;
      weight <= 0;
    end else if (go) begin
      run <= ~queued | ~empty;
      many <= queued;
      pc <= start;
      first <= start;
      weight <= head;
    end else if (run) begin
      if (~last) pc <= pc + 1'b1;
      else if (again) begin
        pc <= first;
        weight <= head;
      end else run <= 1'b0;
    end
endmodule
