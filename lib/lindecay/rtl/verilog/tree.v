// Layout C: all spikes of a step at once. Below the weights stands, for every bit of a
// weight and every column, an adder tree that counts ones; three cycles, pipelined.
module ones #(parameter LOG = 8) (input [(1<<LOG)-1:0] x, output [LOG:0] n);
  localparam W = 1 << LOG;
  wire [(LOG+1)*W-1:0] level;              // each level adds neighbours
  assign level[W-1:0] = x;
  genvar k;
  generate for (k = 0; k < LOG; k = k + 1) begin : each
    localparam [W-1:0] MASK = {(W >> (k + 1)){{(1 << k){1'b0}}, {(1 << k){1'b1}}}};
    wire [W-1:0] here = level[k*W +: W];
    assign level[(k+1)*W +: W] = (here & MASK) + ((here >> (1 << k)) & MASK);
  end endgenerate
  assign n = level[LOG*W +: LOG+1];
endmodule

module tree #(parameter INPUTS = 1, AW = 1, LOG = 1, COLS = 1, BITS = 1, WIDTH = 1,
              parameter WEIGHTS = "weights.hex") (
  input clk, rst, push, input [AW-1:0] index, input swap, go, shift,
  output ends, output reg [COLS-1:0] bus
);
  reg [INPUTS-1:0] weights [0:COLS*BITS-1];  // the array: bit b of column j at j BITS + b
  initial $readmemh(WEIGHTS, weights);
  reg [INPUTS-1:0] filling, spikes, seen;
  reg [1:0] left;
  wire run = left != 0;
  assign ends = left < 2;
  reg [COLS*BITS*(LOG+1)-1:0] counts;
  wire [COLS*BITS*(LOG+1)-1:0] counted;
  reg signed [WIDTH-1:0] sums [0:COLS-1];
  reg signed [WIDTH-1:0] total;
  genvar g;
  generate for (g = 0; g < COLS * BITS; g = g + 1) begin : plane
    wire [(1<<LOG)-1:0] product = weights[g] & seen;  // a cell and its spike
    ones #(.LOG(LOG)) below (.x(product), .n(counted[g*(LOG+1) +: LOG+1]));
  end endgenerate
  integer j, b;
  always @* for (j = 0; j < COLS; j = j + 1) bus[j] = sums[j][0];
  always @(posedge clk)
    if (rst) begin
      filling <= 0;
      spikes <= 0;
      seen <= 0;
      left <= 0;
      for (j = 0; j < COLS; j = j + 1) sums[j] <= 0;
    end else begin
      if (push) filling[index] <= 1'b1;
      if (swap) begin
        spikes <= filling;
        filling <= 0;
      end
      if (go) left <= 3;
      else if (run) left <= left - 1'b1;
      if (left == 3) seen <= spikes;
      if (left == 2) counts <= counted;
      for (j = 0; j < COLS; j = j + 1)
        if (left == 1) begin
          total = 0;
          for (b = 0; b < BITS; b = b + 1)
            if (b == BITS - 1) total = total - (counts[(j*BITS+b)*(LOG+1) +: LOG+1] << b);
            else total = total + (counts[(j*BITS+b)*(LOG+1) +: LOG+1] << b);
          sums[j] <= total;
        end else if (shift) sums[j] <= sums[j] >>> 1;  // a bit a cycle onto the bus
    end
endmodule
