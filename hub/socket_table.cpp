#include "hub/socket_table.hpp"

#include "base/assert.hpp"

namespace portero::hub {

void SocketTable::add(Socket& socket, Deciseconds check_at) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  PORTERO_ASSERT(slot.socket == nullptr);
  slot.socket = &socket;
  slot.check_at = check_at;
  socket.ref = {worker_, index, slot.generation};
  ++size_;
}

void SocketTable::remove(Socket& socket) noexcept {
  PORTERO_ASSERT(find(socket.ref) == &socket);
  Slot& slot = slots_[socket.ref.slot];
  slot.socket = nullptr;
  ++slot.generation;
  free_.push_back(socket.ref.slot);
  --size_;
}

Socket* SocketTable::find(const SocketRef& ref) const noexcept {
  if (ref.slot >= slots_.size()) return nullptr;
  const Slot& slot = slots_[ref.slot];
  return slot.generation == ref.generation ? slot.socket : nullptr;
}

}  // namespace portero::hub
