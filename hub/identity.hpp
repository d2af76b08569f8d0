// Names for sockets and apps that may travel between workers: plain values, no pointers.
// Thread: any.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace portero::hub {

// An app id, numbered by the Hub for the life of the process.
using AppNumber = std::uint32_t;

// The id a client knows its socket by: "a.b", two numbers from 1 to 10^9, drawn at random (60 bits)
// so that nobody can guess one or sign for it beforehand. {0, 0} is no socket.
struct SocketId {
  std::uint32_t a = 0;
  std::uint32_t b = 0;

  static SocketId random();
  // {0, 0} when the text is not a socket id this hub could have given.
  static SocketId parse(std::string_view text) noexcept;
  std::string to_string() const;
  explicit operator bool() const noexcept { return a != 0; }
  friend bool operator==(const SocketId&, const SocketId&) = default;
};

// Where a socket is: a slot of a worker's table. The generation tells a socket from an earlier one
// in the same slot.
struct SocketRef {
  std::uint32_t worker = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const SocketRef&, const SocketRef&) = default;
};

}  // namespace portero::hub
