// One macro (or several column tiles in lockstep): queue, sequencer, decoders, cells
// and columns.
`include "language.vh"
module macro #(
  parameter ROWS = 256, COLS = 256, RW = 8, PORTS = 2, B = 10,
  parameter [COLS-1:0] USED = {COLS{1'b1}},
  parameter LINES = 1, PCW = 9, DEPTH = 64, DW = 6,
  parameter BASE_L = 0, BASE_H = 0, BASE_M = 0, BASE_K = 0, BASE_I = 0,
  parameter ROM = "rom.hex", CELLS = "cells.hex"
) (
  input clk, rst, rest,               // rest: a clip starts, latches to 0
  input go, queued, input [PCW-1:0] start,
  input push, swap, input [RW-1:0] row,
  input [B-1:0] lam, theta,
  input [COLS-1:0] bus, output [COLS-1:0] send, output ends, output [COLS-1:0] tags,
  output takes                        // this cycle adds what the bus holds
);
  wire [`LINE-1:0] line;
  wire [RW-1:0] head, weight;
  wire empty, pop, run;
  queue #(.RW(RW), .DEPTH(DEPTH), .DW(DW)) spikes (
    .clk(clk), .rst(rst), .push(push), .swap(swap), .pop(pop), .row(row),
    .head(head), .empty(empty));
  localparam [RW-1:0] AT_L = BASE_L, AT_H = BASE_H, AT_M = BASE_M, AT_K = BASE_K,
    AT_I = BASE_I;
  sequencer #(.LINES(LINES), .PCW(PCW), .RW(RW), .ROM(ROM)) control (
    .clk(clk), .rst(rst), .go(go), .queued(queued), .start(start),
    .empty(empty), .head(head), .pop(pop), .line(line), .run(run), .weight(weight),
    .ends(ends));

  function [RW-1:0] base(input [2:0] space, input [RW-1:0] row_of_weight);
    base = space == `SPACE_W ? row_of_weight : space == `SPACE_L ? AT_L :
      space == `SPACE_H ? AT_H : space == `SPACE_M ? AT_M :
      space == `SPACE_K ? AT_K : space == `SPACE_I ? AT_I : {RW{1'b0}};
  endfunction
  wire [ROWS-1:0] wl_a, wl_b, wl_w;
  decoder #(.ROWS(ROWS), .RW(RW)) port_a (.on(line[`AT_A_ON]),
    .base(base(line[`AT_A_SPACE], weight)), .offset(line[`AT_A_ROW]), .wl(wl_a));
  decoder #(.ROWS(ROWS), .RW(RW)) port_b (.on(line[`AT_B_ON]),
    .base(base(line[`AT_B_SPACE], weight)), .offset(line[`AT_B_ROW]), .wl(wl_b));
  decoder #(.ROWS(ROWS), .RW(RW)) port_w (.on(line[`AT_W_ON]),
    .base(base(line[`AT_W_SPACE], weight)), .offset(line[`AT_W_ROW]), .wl(wl_w));

  wire [COLS-1:0] bl_a, bl_b, d;
  sram #(.ROWS(ROWS), .COLS(COLS), .RW(RW), .PORTS(PORTS), .USED(USED), .CELLS(CELLS))
    array (.clk(clk), .masked(line[`AT_MASKED]), .wl_a(wl_a), .wl_b(wl_b), .wl_w(wl_w),
      .d(d), .bl_a(bl_a), .bl_b(bl_b));
  wire [B-1:0] register = line[`AT_Y] == `Y_THETA ? theta : lam;
  assign takes = line[`AT_Y] == `Y_BUS;
  wire broadcast = register[line[`AT_BIT]];
  columns #(.COLS(COLS)) below (.clk(clk), .rst(rst | rest), .on(run), .line(line),
    .a(bl_a), .b(bl_b), .bus(bus), .broadcast(broadcast), .d(d), .send(send),
    .T(), .G(tags));
endmodule
