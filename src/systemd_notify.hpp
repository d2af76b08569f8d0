// Tells systemd about the service's state (Type=notify). Does nothing outside systemd.
// Thread: control. Source: sd_notify(3), the documented datagram protocol.
#pragma once

#include <string_view>

namespace portero {

// `state` as in sd_notify: "READY=1", "STOPPING=1", "STATUS=…", several joined by newlines.
void notify_systemd(std::string_view state) noexcept;
// "RELOADING=1" with the time stamp that systemd asks for.
void notify_systemd_reloading() noexcept;

}  // namespace portero
