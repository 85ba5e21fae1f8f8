// What stands below the columns: a full adder, three latches, invert and write mask.
// One bit of every vector is one column; COLS = 1 is one column for the synthesiser.
`include "language.vh"
module columns #(parameter COLS = 256) (
  input clk, rst, on,                    // rst: latches to 0 at the start of a clip
  input [`LINE-1:0] line,                // one line of microcode
  input [COLS-1:0] a, b, bus,            // bitlines, and what another macro sends
  input broadcast,                       // this cycle's bit of lambda or theta
  output [COLS-1:0] d, send,             // to the write drivers, to the bus
  output reg [COLS-1:0] T, G             // sign latch and tag latch
);
  localparam [COLS-1:0] ZERO = {COLS{1'b0}}, ONES = {COLS{1'b1}};
  reg [COLS-1:0] C;                      // carry latch
  wire [`W_X-1:0] sx = line[`AT_X];
  wire [`W_Y-1:0] sy = line[`AT_Y];
  wire [`W_INVERT-1:0] si = line[`AT_INVERT];
  wire [`W_CARRY-1:0] sc = line[`AT_CARRY];
  wire [`W_VALUE-1:0] sv = line[`AT_VALUE];
  wire [`W_T-1:0] st = line[`AT_T];
  wire [`W_G-1:0] sg = line[`AT_G];

  wire [COLS-1:0] X = sx == `X_A ? a : sx == `X_G ? G : ZERO;
  wire [COLS-1:0] feed = sy == `Y_B ? b : sy == `Y_T ? T : sy == `Y_BUS ? bus :
    sy == `Y_LAM | sy == `Y_THETA ? {COLS{broadcast}} : ZERO;
  wire [COLS-1:0] turn = si == `INVERT_NOT ? ONES : si == `INVERT_XT ? T :
    si == `INVERT_XNT ? ~T : ZERO;
  wire [COLS-1:0] Y = feed ^ turn;
  wire [COLS-1:0] carry = sc == `CARRY_C ? C : sc == `CARRY_1 ? ONES :
    sc == `CARRY_NT ? ~T : sc == `CARRY_NC ? ~C : ZERO;
  wire [COLS-1:0] sum = X ^ Y ^ carry;
  wire [COLS-1:0] more = (X & Y) | (carry & (X ^ Y));

  wire [COLS-1:0] value = sv == `VALUE_SUM ? sum : sv == `VALUE_T ? T :
    sv == `VALUE_NT ? ~T : ZERO;
  wire [COLS-1:0] back = line[`AT_BACK] ? b : a;  // half-selected: its own bit again
  assign d = line[`AT_MASKED] ? (G & value) | (~G & back) : value;
  assign send = line[`AT_EMIT] ? a : ZERO;

  always @(posedge clk)
    if (rst) begin
      T <= ZERO;
      G <= ZERO;
      C <= ZERO;
    end else if (on) begin
      if (sc != `CARRY_NONE) C <= more;
      case (st)
        `T_X: T <= X;
        `T_Y: T <= feed;
        `T_SUM: T <= sum;
      endcase
      case (sg)
        `G_X: G <= X;
        `G_SUM: G <= sum;
        `G_NSUM: G <= ~sum;
        `G_SUM_XT: G <= sum ^ T;
        `G_X_OR_SUM: G <= X | sum;
        `G_G_OR_SUM: G <= G | sum;
      endcase
    end
endmodule
