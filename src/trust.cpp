#include "trust.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace fs = std::filesystem;

namespace portero {
namespace {

constexpr const char* system_store = "/usr/local/share/ca-certificates";
constexpr const char* update_command = "update-ca-certificates";

}  // namespace

std::string trust_internal_root(const std::string& storage) {
  const fs::path root = fs::path(storage) / "internal" / "root.crt";
  if (!fs::exists(root)) {
    throw std::runtime_error(fmt::format(
        "{} does not exist yet: it is made at the first `portero run` with this `storage`",
        root.string()));
  }
  const fs::path target = fs::path(system_store) / "portero-internal.crt";
  std::error_code failed;
  fs::create_directories(system_store, failed);
  if (!failed) fs::copy_file(root, target, fs::copy_options::overwrite_existing, failed);
  if (failed) {
    throw std::runtime_error(
        fmt::format("cannot write {}: {}; run it with sudo", target.string(), failed.message()));
  }
  if (std::system(update_command) != 0) {
    throw std::runtime_error(
        fmt::format("{} is in place, but `{}` failed: install the package ca-certificates",
                    target.string(), update_command));
  }
  return fmt::format(
      "{} is trusted by this system now.\n"
      "Browsers with a store of their own need it too:\n"
      "  Chromium: certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n portero -i {}\n"
      "  Firefox:  Settings, Privacy & Security, Certificates, Import\n",
      target.string(), root.string());
}

}  // namespace portero
