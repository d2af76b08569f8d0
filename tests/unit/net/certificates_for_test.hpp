// Certificates for tests: an authority made once per process, and leaves signed by it.
// Thread: tests' only one. Owner: static.
#pragma once

#include <ctime>
#include <string>
#include <vector>

namespace portero::net::test {

struct Pem {
  std::string certificate;
  std::string key;
};

// A leaf for DNS names and IP addresses, valid from an hour ago for `valid_seconds`.
Pem make_leaf(const std::vector<std::string>& names, long valid_seconds = 86400);
// The authority's certificate, and a file that holds it.
const std::string& root_pem();
const std::string& root_file();
// A path inside a directory of this process that is removed at its end.
std::string temporary_path(const std::string& name);
void write_text(const std::string& path, const std::string& text);

}  // namespace portero::net::test
