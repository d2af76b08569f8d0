// A Generation is one successfully loaded configuration and all that control has made ready for it:
// certificates, log sinks, the listeners it needs, resolved upstream names. Workers adopt it as a
// whole; the old one lives on until its last exchange has ended.
// Thread: built by control, immutable afterwards, shared by all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log_file.hpp"
#include "conf/config.hpp"
#include "http/access_log.hpp"
#include "listener_plan.hpp"
#include "net/certificate_store.hpp"
#include "net/dial.hpp"

namespace portero {

using UpstreamName = std::pair<std::string, std::uint16_t>;  // host and port

// "host:port" of an upstream -> where to connect to now. Names that do not resolve are absent.
using ResolvedNames = std::map<std::string, std::vector<net::SocketAddress>>;

struct AccessLog {
  std::shared_ptr<log::FileSink> sink;  // nullptr = off
  http::AccessLogSettings settings;
};

struct Generation {
  std::uint64_t number = 0;
  std::shared_ptr<const conf::Config> config;
  std::vector<ListenerSpec> listeners;
  std::vector<AccessLog> access_logs;  // one per site
  std::shared_ptr<const net::CertificateStore> certificates;
  std::shared_ptr<const ResolvedNames> names;
  std::string cookie_key;  // of `balance: cookie`; "" where nobody needs it
};

// Every upstream of the configuration that has a name to look up, and how often: the shortest
// `resolve` of those that use it.
std::map<UpstreamName, conf::Duration> upstream_names(const conf::Config& config);

// The key that signs cookies of `balance: cookie`, from the storage, where it is made at its first
// use; "" when no route needs it. Throws std::system_error naming the file.
std::string load_cookie_key(const conf::Config& config);

// Opens the access log of each site; sites with the same file share a sink, and sinks of `previous`
// are kept. Throws std::system_error naming the file.
std::vector<AccessLog> open_access_logs(const conf::Config& config, const Generation* previous);

}  // namespace portero
