#include "acme/import.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

#include "acme/json_members.hpp"
#include "acme/jws.hpp"
#include "base/atomic_file.hpp"
#include "base/bytes.hpp"

namespace fs = std::filesystem;

namespace portero::acme {
namespace {

std::string text_of(const fs::path& file) { return read_file(file.string()).value_or(""); }

// The folders in a folder, by name; none when it cannot be read.
std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Import {
 public:
  Import(const Storage& storage, std::time_t now) : storage_(storage), now_(now) {}

  // One certificate serves each of its names here.
  void take_certificate(const std::string& what, const std::string& chain_pem,
                        const std::string& key_pem, const std::string& issuer,
                        const std::string& directory) {
    auto data = net::parse_certificate(chain_pem, key_pem);
    if (!data) return leave(what, data.error());
    if ((*data)->not_after <= now_) return leave(what, "it has expired");
    for (const std::string& name : (*data)->names) {
      const Fd lock = storage_.lock(name);
      if (!lock.is_open()) {
        leave(name, "a certificate for it is being ordered at the moment");
        continue;
      }
      const std::optional<StoredCertificate> known = storage_.load_certificate(name);
      if (known && known->data->not_after >= (*data)->not_after) {
        leave(name, "the storage has one that lasts as long");
        continue;
      }
      storage_.save_certificate(name, {*data, issuer, directory, "", now_}, chain_pem, key_pem);
      report.taken.push_back(fmt::format("{}: certificate of {}", name, (*data)->issuer));
    }
  }

  void take_account(const std::string& directory, const std::string& url, const std::string& email,
                    const std::string& key_pem) {
    const std::string what = "the account at " + directory;
    const Fd lock = storage_.lock_accounts();
    if (storage_.load_account(directory)) return leave(what, "the storage has one already");
    try {
      storage_.save_account({directory, AccountKey::from_pem(key_pem).pem(), url, email});
      report.taken.push_back(what);
    } catch (const std::runtime_error& unusable) {
      leave(what, unusable.what());
    }
  }

  void leave(const std::string& what, std::string_view why) {
    report.left.push_back(fmt::format("{}: {}", what, why));
  }

  ImportReport report;

 private:
  const Storage& storage_;
  std::time_t now_;
};

// How Caddy names the folder of an authority: its URL without the scheme, in safe characters.
std::string caddy_folder(std::string_view directory) {
  const std::size_t scheme = directory.find("://");
  std::string name(scheme == std::string_view::npos ? directory : directory.substr(scheme + 3));
  for (char& c : name) c = c == '/' || c == ':' ? '-' : c;
  return to_lower(name);
}

std::string without_mailto(std::string contact) {
  constexpr std::string_view scheme = "mailto:";
  return contact.starts_with(scheme) ? contact.substr(scheme.size()) : contact;
}

void import_caddy_account(Import& import, const fs::path& user, const std::string& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(user)) {
    if (entry.path().extension() != ".json") continue;
    const boost::json::object about = parse_object(text_of(entry.path()));
    const boost::json::array* const contacts = list_member(about, "contact");
    const bool has_contact =
        contacts != nullptr && !contacts->empty() && contacts->front().is_string();
    import.take_account(
        directory, text_member(about, "location"),
        has_contact ? without_mailto(contacts->front().get_string().c_str()) : std::string(),
        text_of(fs::path(entry.path()).replace_extension(".key")));
  }
}

// `name = value` lines of certbot's renewal files; sections do not matter here.
std::map<std::string, std::string> settings_of(const fs::path& file) {
  std::map<std::string, std::string> settings;
  std::istringstream lines(text_of(file));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t sign = line.find('=');
    if (sign == std::string::npos) continue;
    const std::string_view text = line;
    settings[std::string(trim_ows(text.substr(0, sign)))] = trim_ows(text.substr(sign + 1));
  }
  return settings;
}

void import_certbot_account(Import& import, const std::string& folder, const std::string& directory,
                            const std::string& id) {
  const std::size_t scheme = directory.find("://");
  if (scheme == std::string::npos || id.empty()) return;
  const fs::path at = fs::path(folder) / "accounts" / directory.substr(scheme + 3) / id;
  const std::string url = text_member(parse_object(text_of(at / "regr.json")), "uri");
  const std::string jwk = text_of(at / "private_key.json");
  if (url.empty() || jwk.empty()) return;
  try {
    import.take_account(directory, url, "", AccountKey::from_jwk(jwk).pem());
  } catch (const std::runtime_error& unusable) {
    import.leave("the account at " + directory, unusable.what());
  }
}

}  // namespace

ImportReport import_caddy(const std::string& folder, const std::vector<std::string>& directories,
                          const Storage& storage, std::time_t now) {
  const fs::path root(folder);
  if (!fs::is_directory(root / "certificates")) {
    throw std::runtime_error(
        folder +
        " is not Caddy's storage: it has no folder `certificates`; with the service it is "
        "/var/lib/caddy/.local/share/caddy");
  }
  Import import(storage, now);
  for (const fs::path& authority : folders_in(root / "certificates")) {
    const std::string id = authority.filename().string();
    const auto meant =
        std::find_if(directories.begin(), directories.end(),
                     [&id](const std::string& url) { return caddy_folder(url) == id; });
    if (id == "local") continue;  // of Caddy's own CA
    const std::string directory = meant == directories.end() ? std::string() : *meant;
    for (const fs::path& site : folders_in(authority)) {
      const std::string stem = site.filename().string();
      import.take_certificate(stem, text_of(site / (stem + ".crt")),
                              text_of(site / (stem + ".key")), directory.empty() ? id : directory,
                              directory);
    }
    if (directory.empty()) {
      import.leave("the account at " + id, "no issuer of the site file has such a directory");
      continue;
    }
    for (const fs::path& user : folders_in(root / "acme" / id / "users")) {
      import_caddy_account(import, user, directory);
    }
  }
  return std::move(import.report);
}

ImportReport import_certbot(const std::string& folder, const Storage& storage, std::time_t now) {
  const fs::path root(folder);
  if (!fs::is_directory(root / "live")) {
    throw std::runtime_error(folder + " is not certbot's folder: it has no folder `live`");
  }
  Import import(storage, now);
  for (const fs::path& lineage : folders_in(root / "live")) {
    const std::string name = lineage.filename().string();
    auto settings = settings_of(root / "renewal" / (name + ".conf"));
    const std::string& directory = settings["server"];
    import.take_certificate(name, text_of(lineage / "fullchain.pem"),
                            text_of(lineage / "privkey.pem"),
                            directory.empty() ? "certbot" : directory, directory);
    import_certbot_account(import, folder, directory, settings["account"]);
  }
  return std::move(import.report);
}

}  // namespace portero::acme
