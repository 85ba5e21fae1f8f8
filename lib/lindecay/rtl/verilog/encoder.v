// Spikes of a step as addresses, one a cycle, lowest column first; then `last`.
module encoder #(parameter COLS = 256, AW = 8) (
  input clk, rst, load, stop, input [COLS-1:0] tags,
  output push, last, free, output reg [AW-1:0] index
);
  reg [COLS-1:0] left;
  reg sending;
  integer k;
  assign push = sending & ~stop & (|left);
  assign last = sending & ~stop & ~(|left);
  assign free = ~sending & ~load;
  always @* begin
    index = 0;
    if (|left) for (k = COLS - 1; k >= 0; k = k - 1) if (left[k]) index = k;
  end
  always @(posedge clk)
    if (rst) begin
      left <= 0;
      sending <= 1'b0;
    end else if (load) begin
      left <= tags;
      sending <= 1'b1;
    end else if (push) left <= left & (left - 1'b1);
    else if (last) sending <= 1'b0;
endmodule
