#include "acme/internal_ca.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>

#include "acme/certificate.hpp"
#include "base/atomic_file.hpp"
#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

using net::CertificateData;
using Certificate = std::shared_ptr<const CertificateData>;

constexpr mode_t public_mode = 0644;
constexpr mode_t private_mode = 0600;
// Clocks of clients lag; a certificate is valid a little before it is made.
constexpr std::time_t backdated_seconds = 300;
// How long an expired leaf stays on disk.
constexpr std::time_t leaf_kept_seconds = 7 * 24 * 3600;

std::time_t written_at(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mtime : 0;
}

void set_aside(const std::string& path, const std::string& reason) {
  std::error_code error;
  std::filesystem::rename(path, path + ".bad", error);
  log::warn("internal_ca.set_aside", log::kv("file", path), log::kv("moved_to", path + ".bad"),
            log::kv("reason", reason));
}

// Reads chain and key from files that may be one and the same. nullptr: there are none, or they
// made no sense and were set aside.
Certificate read_certificate(const std::string& chain_path, const std::string& key_path) {
  const std::optional<std::string> chain = read_file(chain_path);
  const std::optional<std::string> key = read_file(key_path);
  if (!chain && !key) return nullptr;
  const Explained<Certificate> parsed =
      net::parse_certificate(chain.value_or(std::string()), key.value_or(std::string()));
  if (parsed) return *parsed;
  if (chain) set_aside(chain_path, parsed.error());
  if (key && key_path != chain_path) set_aside(key_path, parsed.error());
  return nullptr;
}

bool is_valid(const CertificateData& certificate, std::time_t now) {
  return certificate.not_before <= now && now < certificate.not_after;
}

Certificate parsed(const std::string& chain_pem, const std::string& key_pem) {
  const Explained<Certificate> certificate = net::parse_certificate(chain_pem, key_pem);
  if (!certificate)
    throw std::runtime_error("cannot use a new certificate: " + certificate.error());
  return *certificate;
}

std::string host_name() {
  std::array<char, 65> name{};
  ::gethostname(name.data(), name.size() - 1);
  return std::string(name.data()).substr(0, 40);  // a common name holds 64 bytes
}

// Sorted and lower case, so that the order in a site file does not matter.
std::vector<std::string> normalised(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (!is_certificate_name(name)) {
      throw std::runtime_error("\"" + name + "\" cannot be a name of a certificate");
    }
    const std::optional<IpAddress> address = IpAddress::parse(name);
    out.push_back(address ? address->to_string() : to_lower(name));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.empty()) throw std::runtime_error("a certificate needs a name");
  return out;
}

// "*.example.com" and one more name -> "_.example.com-1f2e3d4c.pem": readable and unique.
std::string leaf_file_name(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += name + "\n";
  std::string first = names.front().substr(0, 128);
  std::replace(first.begin(), first.end(), '*', '_');
  std::replace(first.begin(), first.end(), ':', '_');
  return first + "-" + net::sha256_hex(all).substr(0, 8) + ".pem";
}

bool has_names(const CertificateData& certificate, const std::vector<std::string>& names) {
  std::vector<std::string> has = certificate.names;
  std::sort(has.begin(), has.end());
  return has == names;
}

}  // namespace

InternalCa InternalCa::open(const std::string& storage, std::time_t now) {
  InternalCa authority(storage);
  authority.open_root(now);
  authority.open_intermediate(now);
  authority.remove_old_leaves(now);
  return authority;
}

InternalCa::InternalCa(const std::string& storage)
    : directory_(storage + "/internal"), root_path_(directory_ + "/root.crt") {
  make_directories(directory_ + "/leaves");
}

void InternalCa::open_root(std::time_t now) {
  const std::string key_path = directory_ + "/root.key";
  root_ = read_certificate(root_path_, key_path);
  if (root_ != nullptr && !is_valid(*root_, now)) {
    set_aside(root_path_, "expired or not valid yet");
    root_ = nullptr;
  }
  if (root_ == nullptr) {
    CertificateRequest request;
    request.role = CertificateRole::root;
    request.common_name = "portero internal CA " + host_name();
    request.not_before = now - backdated_seconds;
    request.not_after = now + root_seconds;
    const MadeCertificate made = make_certificate(request, nullptr);
    root_ = parsed(made.certificate_pem, made.key_pem);
    // The key first: a certificate without its key would be set aside at the next start.
    write_file_atomically(key_path, made.key_pem, private_mode);
    write_file_atomically(root_path_, made.certificate_pem, public_mode);
    log::info("internal_ca.created", log::kv("root", root_path_));
  }
  root_pem_ = certificate_pem(*root_);
}

void InternalCa::open_intermediate(std::time_t now) {
  const std::string path = directory_ + "/intermediate.pem";
  if (intermediate_ == nullptr) intermediate_ = read_certificate(path, path);
  const bool usable = intermediate_ != nullptr && is_valid(*intermediate_, now) &&
                      !renew_due(*intermediate_, now) && chains_to(*intermediate_, *root_);
  if (usable) return;
  CertificateRequest request;
  request.role = CertificateRole::intermediate;
  request.common_name = "portero internal CA " + host_name() + " intermediate";
  request.not_before = now - backdated_seconds;
  request.not_after = std::min(now + intermediate_seconds, root_->not_after);
  const MadeCertificate made = make_certificate(request, root_.get());
  intermediate_ = parsed(made.certificate_pem, made.key_pem);
  write_file_atomically(path, made.certificate_pem + made.key_pem, private_mode);
}

std::shared_ptr<const CertificateData> InternalCa::issue(const std::vector<std::string>& names,
                                                         std::time_t now) {
  const std::vector<std::string> wanted = normalised(names);
  const std::string path = directory_ + "/leaves/" + leaf_file_name(wanted);
  Certificate leaf = read_certificate(path, path);
  if (leaf != nullptr && is_usable_leaf(*leaf, now) && has_names(*leaf, wanted)) return leaf;

  open_intermediate(now);
  CertificateRequest request;
  request.names = wanted;
  request.not_before = now - backdated_seconds;
  request.not_after = std::min(now + leaf_seconds, intermediate_->not_after);
  const MadeCertificate made = make_certificate(request, intermediate_.get());
  const std::string text = made.certificate_pem + certificate_pem(*intermediate_) + made.key_pem;
  leaf = parsed(text, text);
  write_file_atomically(path, text, private_mode);
  return leaf;
}

// A leaf that is in use is written anew long before it expires: one that has been expired for a
// while belongs to a name that no site has any more.
void InternalCa::remove_old_leaves(std::time_t now) const {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory_ + "/leaves", error)) {
    const std::string path = file.path().string();
    if (!path.ends_with(".pem") && !path.ends_with(".pem.bad")) continue;
    const std::optional<std::string> text = read_file(path);
    const Explained<Certificate> leaf =
        text ? net::parse_certificate(*text, *text) : std::string("not readable");
    // What makes no sense is not touched before its time either: people may want to look at it.
    const std::time_t end = leaf ? (*leaf)->not_after : written_at(path) + leaf_seconds;
    if (now < end + leaf_kept_seconds) continue;
    std::filesystem::remove(path, error);
    log::info("internal_ca.leaf_removed", log::kv("file", path));
  }
}

// Signed by an intermediate of this root, whichever was current then, and not due.
bool InternalCa::is_usable_leaf(const CertificateData& leaf, std::time_t now) const {
  return is_valid(leaf, now) && !renew_due(leaf, now) && leaf.chain.size() == 1 &&
         chains_to(leaf, *root_);
}

bool InternalCa::renew_due(const CertificateData& certificate, std::time_t now) noexcept {
  const std::time_t life = certificate.not_after - certificate.not_before;
  return now >= certificate.not_before + life / 3 * 2;
}

}  // namespace portero::acme
