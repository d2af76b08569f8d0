// The site file as plain data, validated and with every default filled in. This is all that the
// rest of the program knows of YAML. Names follow the keys of the file (docs/config.md).
// Thread: immutable once loaded; shared by every thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "conf/config_acme.hpp"
#include "conf/config_hub.hpp"
#include "conf/config_site.hpp"
#include "conf/config_values.hpp"

namespace portero::conf {

struct Config {
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  std::vector<std::string> bind{"0.0.0.0", "[::]"};
  unsigned threads = 0;  // 0 = one per core
  std::string storage = "/var/lib/portero";
  std::string admin = "unix:/run/portero/admin.sock";
  std::string metrics;  // "127.0.0.1:9180"; "" = nowhere
  std::string log_level = "info";
  std::string log_format = "auto";
  std::string email;
  Acme acme;
  Duration grace_period{10'000};
  bool http2 = true;
  Timeouts timeouts;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> proxy_protocol;  // networks that say in a PROXY header who connects
  Hub hub;
  std::vector<Site> sites;
  std::vector<std::string> files;  // every file read, for the watcher: site file, imports, env_file
};

}  // namespace portero::conf
