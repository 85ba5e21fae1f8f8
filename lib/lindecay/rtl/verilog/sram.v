// The cell array, behavioural: the one part that no tool synthesises here.
// Two single-ended read ports (one with PORTS = 1) and one write port; reads and the
// write share a cycle, the write last. Breaking a rule of the ports counts as a fault.
module sram #(
  parameter ROWS = 256, COLS = 256, RW = 8, PORTS = 2,
  parameter [COLS-1:0] USED = {COLS{1'b1}},  // columns that have a write driver
  parameter CELLS = "cells.hex"
) (
  input clk, masked,
  input [ROWS-1:0] wl_a, wl_b, wl_w,  // wordlines
  input [COLS-1:0] d,                 // what the write drivers hold
  output [COLS-1:0] bl_a, bl_b        // bitlines: 0 where no wordline rose
);
  reg [COLS-1:0] cells [0:ROWS-1];
  integer faults;
  initial begin
    $readmemh(CELLS, cells);
    faults = 0;
  end

  function several(input [ROWS-1:0] wl);
    several = |(wl & (wl - 1'b1));
  endfunction

  wire [RW-1:0] a = $clog2(wl_a), b = $clog2(wl_b), w = $clog2(wl_w);
  wire on_a = |wl_a, on_b = |wl_b, on_w = |wl_w;
  assign bl_a = on_a ? cells[a] : {COLS{1'b0}};
  assign bl_b = on_b ? cells[b] : {COLS{1'b0}};
  wire [COLS-1:0] old = cells[w], fresh = (d & USED) | (old & ~USED);

  always @(posedge clk) begin
    if (on_w) cells[w] <= fresh;
    if (several(wl_a) | several(wl_b) | several(wl_w)) begin
      faults = faults + 1;
      $display("FAULT %m: two wordlines on one port");
    end
    if (PORTS == 1 & on_a & on_b) begin
      faults = faults + 1;
      $display("FAULT %m: two reads through one port");
    end
    if (on_w & masked & ~(on_a & a == w) & ~(on_b & b == w)) begin
      faults = faults + 1;
      $display("FAULT %m: masked write without write-back");
    end
  end
endmodule
