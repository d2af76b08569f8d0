// WsCodec on any bytes: the events must not depend on how the bytes are cut.
// The first byte chooses the size of the pieces.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hub/ws_codec.hpp"

using namespace portero;
using namespace portero::hub;

namespace {

constexpr std::size_t limit = 4096;

void note(const WsEvent& event, std::string& trace) {
  trace += static_cast<char>('0' + event.index());
  if (const auto* message = std::get_if<WsMessage>(&event)) trace += message->payload;
  if (const auto* ping = std::get_if<WsPing>(&event)) trace += ping->payload;
  if (const auto* close = std::get_if<WsClose>(&event)) trace += close->reason;
  if (const auto* failure = std::get_if<WsViolation>(&event)) {
    trace += static_cast<char>(failure->why);
  }
}

std::string run(std::string bytes, std::size_t step) {
  WsCodec codec;
  std::string trace;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    MutableBytes in(bytes.data() + at, std::min(step, bytes.size() - at));
    for (;;) {
      const WsEvent event = codec.next(in, limit);
      if (std::holds_alternative<WsNeedMore>(event)) break;
      note(event, trace);
      if (std::holds_alternative<WsViolation>(event)) return trace;
    }
    if (!in.empty()) std::abort();
  }
  return trace;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = data[0] % 16 + std::size_t{1};
  if (run(bytes, bytes.size() + 1) != run(bytes, step)) std::abort();
  return 0;
}
