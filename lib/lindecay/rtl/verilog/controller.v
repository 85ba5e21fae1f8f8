// The order of a step: phase after phase, each as long as its slowest macro, no cycle
// between two of them. Phase 0 clears the membranes at the start of a clip.
module controller #(
  parameter TILES = 1, PHASES = 1, PW = 4, PCW = 9, STEPS = 1, SW = 8,
  parameter DISPATCH = "dispatch.hex"
) (
  input clk, rst,
  input ready,                  // all spikes of the next step are in the queues
  input free,                   // the encoder can take this step's spikes
  input [TILES-1:0] ends,
  output [TILES-1:0] go, queued, output [TILES*PCW-1:0] start,
  output swap, output reg done, output reg active, output reg [PW-1:0] phase
);
  localparam ONE = PCW + 2;     // of one macro in one phase: go, queued, first line
  reg [TILES*ONE-1:0] dispatch [0:PHASES];
  initial $readmemh(DISPATCH, dispatch);
  reg [SW-1:0] step;
  wire last = phase == PHASES;
  wire over = active & (&ends) & (~last | free);
  wire [SW-1:0] after = step == STEPS - 1 ? {SW{1'b0}} : step + 1'b1;
  wire [SW-1:0] coming = over & last ? after : step;
  assign swap = ready & (~active | (over & last));
  wire moves = swap | (over & ~last);
  wire [PW-1:0] next = ~swap ? phase + 1'b1 : {{(PW-1){1'b0}}, coming != 0};
  wire [TILES*ONE-1:0] told = dispatch[next];
  genvar t;
  generate for (t = 0; t < TILES; t = t + 1) begin : each
    assign {queued[t], start[t*PCW +: PCW]} = told[t*ONE +: ONE-1];
    assign go[t] = moves & told[t*ONE+ONE-1];
  end endgenerate
  always @(posedge clk)
    if (rst) begin
      phase <= 0;
      step <= 0;
      active <= 1'b0;
      done <= 1'b0;
    end else begin
      done <= over & last;
      if (over & last) step <= after;
      if (moves) begin
        phase <= next;
        active <= 1'b1;
      end else if (over & last) active <= 1'b0;
    end
endmodule
