// Where an input's weights lie: index of a spike to its macro and first weight row.
module address #(parameter INPUTS = 1, AW = 1, TILES = 1, TW = 1, RW = 8,
                 parameter MAP = "map.hex") (
  input push, input [AW-1:0] index, output [TILES-1:0] to, output [RW-1:0] row
);
  reg [TW+RW-1:0] map [0:INPUTS-1];
  initial $readmemh(MAP, map);
  wire [TW-1:0] tile;
  assign {tile, row} = map[index];
  assign to = push ? {{(TILES-1){1'b0}}, 1'b1} << tile : {TILES{1'b0}};
endmodule
