// Feeds a codec the same bytes in every way a network may cut them: whole, byte by byte, and cut in
// two at each position.
// Thread: the test's.
#pragma once

#include <string_view>
#include <vector>

namespace portero {

// Calls `run(pieces)` once for each way to cut `bytes`.
template <class Run>
void for_each_cut(std::string_view bytes, Run&& run) {
  std::vector<std::string_view> pieces{bytes};
  run(pieces);
  pieces.clear();
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  run(pieces);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    pieces = {bytes.substr(0, cut), bytes.substr(cut)};
    run(pieces);
  }
}

}  // namespace portero
