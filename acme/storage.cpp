#include "acme/storage.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "acme/json_members.hpp"
#include "base/atomic_file.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace json = boost::json;

namespace portero::acme {
namespace {

constexpr mode_t file_mode = 0600;

void set_aside(const std::string& path, std::string_view why) {
  const std::string bad = path + ".bad";
  const bool moved = ::rename(path.c_str(), bad.c_str()) == 0;
  log::error("acme.file_set_aside", log::kv("file", moved ? bad : path), log::kv("why", why));
}

// The object in a file; an empty one when there is none or it makes no sense.
json::object read_object(const std::string& path) {
  const std::optional<std::string> text = read_file(path);
  if (!text) return {};
  boost::system::error_code ec;
  json::value value = json::parse(*text, ec);
  if (!ec && value.is_object()) return std::move(value.get_object());
  set_aside(path, "it is not JSON");
  return {};
}

void write_object(const std::string& path, const json::object& object) {
  write_file_atomically(path, json::serialize(object) + "\n", file_mode);
}

Fd open_lock(const std::string& path) {
  Fd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, file_mode));
  if (!file.is_open()) throw std::system_error(errno, std::generic_category(), path);
  return file;
}

// The host of a URL and, as one host may have several directories, a hash of the whole.
std::string authority_id(const std::string& directory) {
  const std::size_t scheme = directory.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  std::string host = directory.substr(begin, directory.find('/', begin) - begin);
  for (char& c : host) c = c == ':' ? '_' : c;
  return fmt::format("{}-{}", host, net::sha256_hex(directory).substr(0, 8));
}

}  // namespace

Storage::Storage(const std::string& root) : root_(root + "/acme") {
  make_directories(root_ + "/accounts");
  make_directories(root_ + "/certificates");
}

std::string Storage::account_path(const std::string& directory) const {
  return root_ + "/accounts/" + authority_id(directory) + ".json";
}

// Names hold letters, digits, '-', '.', '_', ':' (addresses) and '*' only.
std::string Storage::folder_of(const std::string& name) const {
  std::string folder = name;
  if (folder.starts_with("*.")) folder.replace(0, 1, "wildcard_");
  return root_ + "/certificates/" + folder;
}

std::string Storage::certificate_path(const std::string& name) const {
  return folder_of(name) + "/certificate.pem";
}

std::optional<StoredAccount> Storage::load_account(const std::string& directory) const {
  const std::string path = account_path(directory);
  const json::object object = read_object(path);
  if (object.empty()) return std::nullopt;
  StoredAccount account{directory, text_member(object, "key"), text_member(object, "url"),
                        text_member(object, "email"), text_member(object, "next_key")};
  if (account.key_pem.find("PRIVATE KEY") != std::string::npos) return account;
  set_aside(path, "it holds no key");
  return std::nullopt;
}

void Storage::save_account(const StoredAccount& account) const {
  write_object(account_path(account.directory), {{"directory", account.directory},
                                                 {"url", account.url},
                                                 {"email", account.email},
                                                 {"key", account.key_pem},
                                                 {"next_key", account.next_key_pem}});
}

void Storage::drop_account(const std::string& directory) const {
  set_aside(account_path(directory), "the authority no longer knows the account");
}

std::optional<StoredCertificate> Storage::load_certificate(const std::string& name) const {
  const std::string path = certificate_path(name);
  const std::optional<std::string> pem = read_file(path);
  if (!pem) return std::nullopt;
  Explained<std::shared_ptr<const net::CertificateData>> data = net::parse_certificate(*pem, *pem);
  if (!data) {
    set_aside(path, data.error());
    return std::nullopt;
  }
  const json::object about = read_object(folder_of(name) + "/about.json");
  return StoredCertificate{*data,
                           text_member(about, "issuer"),
                           text_member(about, "directory"),
                           text_member(about, "challenge"),
                           number_member(about, "obtained"),
                           text_member(about, "why")};
}

// The certificate goes last: with it in place, all that is said of it is there too.
void Storage::save_certificate(const std::string& name, const StoredCertificate& about,
                               const std::string& chain_pem, const std::string& key_pem) const {
  make_directories(folder_of(name));
  write_object(folder_of(name) + "/about.json", {{"issuer", about.issuer},
                                                 {"directory", about.directory},
                                                 {"challenge", about.challenge},
                                                 {"obtained", about.obtained},
                                                 {"why", about.why}});
  write_file_atomically(certificate_path(name), chain_pem + key_pem, file_mode);
}

NameState Storage::load_state(const std::string& name) const {
  const json::object object = read_object(folder_of(name) + "/state.json");
  NameState state;
  state.failures = static_cast<unsigned>(number_member(object, "failures"));
  state.next_try = number_member(object, "next_try");
  if (const json::object* const blocked = map_member(object, "blocked_until")) {
    for (const json::key_value_pair& one : *blocked) {
      state.blocked_until[one.key()] = number_member(*blocked, one.key());
    }
  }
  state.last_error = text_member(object, "last_error");
  state.renew_at = number_member(object, "renew_at");
  state.ask_window_at = number_member(object, "ask_window_at");
  const json::value* const orders = object.if_contains("orders");
  if (orders != nullptr && orders->is_array()) {
    for (const json::value& order : orders->get_array()) {
      if (order.is_int64()) state.orders.push_back(order.get_int64());
    }
  }
  return state;
}

void Storage::save_state(const std::string& name, const NameState& state) const {
  make_directories(folder_of(name));
  json::object blocked;
  for (const auto& [directory, until] : state.blocked_until) blocked[directory] = until;
  write_object(folder_of(name) + "/state.json",
               {{"failures", state.failures},
                {"next_try", state.next_try},
                {"blocked_until", std::move(blocked)},
                {"last_error", state.last_error},
                {"renew_at", state.renew_at},
                {"ask_window_at", state.ask_window_at},
                {"orders", json::array(state.orders.begin(), state.orders.end())}});
}

std::optional<StoredOrder> Storage::load_order(const std::string& name) const {
  const json::object object = read_object(folder_of(name) + "/order.json");
  StoredOrder order{text_member(object, "directory"), text_member(object, "url"),
                    text_member(object, "key")};
  if (order.directory.empty() || order.key_pem.empty()) return std::nullopt;
  return order;
}

void Storage::save_order(const std::string& name, const StoredOrder& order) const {
  make_directories(folder_of(name));
  write_object(folder_of(name) + "/order.json",
               {{"directory", order.directory}, {"url", order.url}, {"key", order.key_pem}});
}

void Storage::drop_order(const std::string& name) const {
  ::unlink((folder_of(name) + "/order.json").c_str());
}

Fd Storage::lock(const std::string& name) const {
  make_directories(folder_of(name));
  Fd file = open_lock(folder_of(name) + "/lock");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return Fd();
  return file;
}

Fd Storage::lock_accounts() const {
  Fd file = open_lock(root_ + "/accounts/lock");
  while (::flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return file;
}

}  // namespace portero::acme
