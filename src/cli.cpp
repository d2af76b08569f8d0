#include "cli.hpp"

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "acme/import.hpp"
#include "admin.hpp"
#include "advice.hpp"
#include "base/bytes.hpp"
#include "certificates.hpp"
#include "certs.hpp"
#include "conf/keys.hpp"
#include "conf/load.hpp"
#include "conf/schema.hpp"
#include "explain.hpp"
#include "proxy/password_hash.hpp"
#include "rehearsal.hpp"
#include "server.hpp"
#include "status.hpp"
#include "trust.hpp"

namespace portero {
namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr const char* system_config_path = "/etc/portero/portero.yaml";

struct Options {
  std::string config_path;
  std::string admin_path;
  std::string env_file;
  std::string url;
  std::string host;
  std::string name;
  std::string caddy;
  std::string certbot;
  std::string algorithm = "bcrypt";
  std::string password;
  bool json = false;
  bool revoke = false;
  bool new_keys = false;
  bool replace = false;
};

// ./portero.yaml where there is one, else the service's.
std::string default_config_path() {
  return std::filesystem::exists("portero.yaml") ? "portero.yaml" : system_config_path;
}

int report_count(std::size_t errors, const std::string& path) {
  fmt::print(stderr, "{} {} in {}\n", errors, errors == 1 ? "error" : "errors", path);
  return exit_failed;
}

std::shared_ptr<const conf::Config> load_or_explain(const std::string& path) {
  conf::LoadResult loaded = conf::load_config(path, {conf::process_environment()});
  for (const conf::Problem& warning : loaded.warnings) {
    fmt::print(stderr, "warning: {}\n", conf::format_problem(warning));
  }
  for (const conf::Problem& problem : loaded.errors) {
    fmt::print(stderr, "{}\n", conf::format_problem(problem));
  }
  if (!loaded.config) report_count(loaded.errors.size(), path);
  return loaded.config;
}

int check(const Options& options) {
  const auto config = load_or_explain(options.config_path);
  if (!config) return exit_failed;
  for (const std::string& advice : advice_for(*config)) fmt::print(stderr, "{}\n", advice);
  const std::vector<std::string> failures = rehearse(*config);
  for (const std::string& failure : failures) fmt::print(stderr, "{}\n", failure);
  if (!failures.empty()) return report_count(failures.size(), options.config_path);
  fmt::print("{}: valid, {} {}\n", options.config_path, config->sites.size(),
             config->sites.size() == 1 ? "site" : "sites");
  return exit_done;
}

// The value of a top-level `admin:` line, from a file that may be invalid otherwise.
std::string admin_line(const std::string& path) {
  constexpr std::string_view key = "admin:";
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key))
      return std::string(trim_ows(std::string_view(line).substr(key.size())));
  }
  return conf::Config().admin;
}

// The socket of the running server: as told, or as the site file says; an invalid file must not
// keep anybody from reaching the server.
std::string admin_path(const Options& options) {
  if (!options.admin_path.empty()) return admin_socket_path(options.admin_path);
  const conf::LoadResult loaded =
      conf::load_config(options.config_path, {conf::process_environment()});
  return admin_socket_path(loaded.config ? loaded.config->admin : admin_line(options.config_path));
}

int call_server(const Options& options, std::string_view command) {
  const std::string request = command.starts_with('{')
                                  ? std::string(command)
                                  : fmt::format(R"({{"command":"{}"}})", command);
  const std::string text = admin_call(admin_path(options), request);
  const boost::json::object answer = boost::json::parse(text).as_object();
  if (!answer.at("ok").as_bool()) {
    fmt::print(stderr, "{}\n", std::string_view(answer.at("error").as_string()));
    return exit_failed;
  }
  if (command == "status" || command == "certs") {
    fmt::print("{}", options.json         ? text
                     : command == "certs" ? certificates_text(text)
                                          : status_text(text));
  } else {
    fmt::print("{}\n", std::string_view(answer.at("text").as_string()));
  }
  return exit_done;
}

int renew(const Options& options) {
  const char* const command = options.revoke ? "certs-revoke" : "certs-renew";
  return call_server(options, boost::json::serialize(boost::json::object{
                                  {"command", command}, {"name", to_lower(options.name)}}));
}

// What portero runs as must be able to read what root takes over for it.
void give_to_owner_of(const std::string& storage) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(storage.c_str(), &owner) != 0) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(storage + "/acme")) {
    if (::lchown(entry.path().c_str(), owner.st_uid, owner.st_gid) != 0) {
      throw std::system_error(errno, std::generic_category(), entry.path());
    }
  }
}

int import_certificates(const Options& options) {
  const auto config = load_or_explain(options.config_path);
  if (!config) return exit_failed;
  std::vector<std::string> directories;
  for (const acme::Wanted& wanted : wanted_certificates(*config)) {
    for (const conf::Issuer& issuer : wanted.issuers) directories.push_back(issuer.directory);
  }
  const acme::Storage storage(config->storage);
  const std::time_t now = std::time(nullptr);
  const acme::ImportReport report =
      options.caddy.empty() ? acme::import_certbot(options.certbot, storage, now)
                            : acme::import_caddy(options.caddy, directories, storage, now);
  give_to_owner_of(config->storage);
  for (const std::string& line : report.taken) fmt::print("taken over: {}\n", line);
  for (const std::string& line : report.left) fmt::print("left: {}\n", line);
  fmt::print("{} taken over; `portero reload` makes a running server use them\n",
             report.taken.size());
  return exit_done;
}

int certs(const Options& options) {
  if (!options.caddy.empty() || !options.certbot.empty()) return import_certificates(options);
  if (options.new_keys) return call_server(options, "certs-new-keys");
  return options.name.empty() ? call_server(options, "certs") : renew(options);
}

void add_certs_options(CLI::App& command, Options& options) {
  command.add_flag("--json", options.json, "print JSON");
  CLI::App* renew_command = command.add_subcommand("renew", "order a new certificate now");
  renew_command->fallthrough();  // --config may stand behind it
  renew_command->add_option("name", options.name, "the name, e.g. www.example.com")->required();
  renew_command->add_flag("--revoke", options.revoke,
                          "revoke the old one first: its key is known to others");
  command
      .add_subcommand("new-account-keys",
                      "give every account at an authority a new key: the old one may be known")
      ->fallthrough()
      ->callback([&options] { options.new_keys = true; });
  CLI::App* import_command =
      command.add_subcommand("import", "take over certificates and accounts of Caddy or certbot");
  import_command->fallthrough();
  CLI::Option_group* from = import_command->add_option_group("from");
  from->add_option("--caddy", options.caddy, "Caddy's storage folder");
  from->add_option("--certbot", options.certbot, "certbot's folder, such as /etc/letsencrypt");
  from->require_option(1);
}

int explain(const Options& options) {
  const auto config = load_or_explain(options.config_path);
  if (!config) return exit_failed;
  fmt::print("{}", explain_url(*config, options.url));
  return exit_done;
}

int keys(const Options& options) {
  const conf::EnvLines lines = conf::make_keys(options.host);
  if (options.env_file.empty()) {
    fmt::print("{}", conf::format_keys(lines));
    return exit_done;
  }
  const conf::EnvWritten written = conf::update_env_file(
      options.env_file, lines, options.replace ? conf::Overwrite::yes : conf::Overwrite::no);
  if (!written.ok) {
    fmt::print(stderr, "{}\n", written.message);
    return exit_failed;
  }
  fmt::print("{}: written\n", options.env_file);
  return exit_done;
}

// Without echo on a terminal, twice; one line of anything else.
std::string ask_password() {
  if (::isatty(STDIN_FILENO) == 0) {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }
  const auto ask = [](const char* prompt) {
    fmt::print(stderr, "{}", prompt);
    termios shown{};
    ::tcgetattr(STDIN_FILENO, &shown);
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    std::string typed;
    std::getline(std::cin, typed);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fmt::print(stderr, "\n");
    return typed;
  };
  std::string first = ask("Password: ");
  if (first != ask("Once more: ")) throw std::runtime_error("the two passwords differ");
  return first;
}

int hash_password(const Options& options) {
  const auto scheme = options.algorithm == "argon2id" ? proxy::PasswordScheme::argon2id
                                                      : proxy::PasswordScheme::bcrypt;
  const std::string password = options.password.empty() ? ask_password() : options.password;
  const proxy::PasswordHash hash = proxy::hash_password(password, scheme);
  if (!hash.error.empty()) throw std::runtime_error(hash.error);
  fmt::print("{}\n", hash.text);
  return exit_done;
}

int trust(const Options& options) {
  const auto config = load_or_explain(options.config_path);
  if (!config) return exit_failed;
  fmt::print("{}", trust_internal_root(config->storage));
  return exit_done;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("portero: HTTPS, reverse proxy and Pusher channels in one process");
  app.require_subcommand(1);
  Options options;
  options.config_path = default_config_path();
  int status = exit_done;
  const auto add = [&](const char* name, const char* help, auto action) {
    CLI::App* command = app.add_subcommand(name, help);
    command->callback([&status, &options, action] { status = action(options); });
    return command;
  };
  const auto with_config = [&](CLI::App* command) {
    command->add_option("--config,-c", options.config_path, "the site file")->capture_default_str();
    return command;
  };
  const auto with_admin = [&](CLI::App* command) {
    with_config(command)->add_option("--admin", options.admin_path,
                                     "admin socket of the running server, e.g. unix:/run/x.sock");
    return command;
  };
  with_config(add("run", "serve until stopped",
                  [](const Options& o) { return run_server(o.config_path); }));
  with_config(add("check", "validate the site file and print every error", check));
  with_admin(add("reload", "make the running server read its site file again",
                 [](const Options& o) { return call_server(o, "reload"); }));
  with_admin(add("stop", "drain and stop the running server",
                 [](const Options& o) { return call_server(o, "stop"); }));
  with_admin(add("status", "listeners, sites, certificates, upstreams, hub counts",
                 [](const Options& o) { return call_server(o, "status"); }))
      ->add_flag("--json", options.json, "print JSON");
  add_certs_options(
      *with_admin(add("certs", "certificates: issuer, expiry, next try, last error", certs)),
      options);
  with_config(add("explain", "tell which route a URL takes and why", explain))
      ->add_option("url", options.url, "e.g. https://api.example.com/users?page=2")
      ->required();
  CLI::App* keys_command =
      add("keys", "make a new REVERB_APP_ID, _KEY and _SECRET with their VITE_ lines", keys);
  keys_command->add_option("--env", options.env_file, "write them into this .env file");
  keys_command->add_option("--host", options.host,
                           "public name of the hub, for VITE_REVERB_HOST, _PORT and _SCHEME");
  keys_command->add_flag("--replace", options.replace, "overwrite keys that the file has already");
  CLI::App* hash_command =
      add("hash-password", "make the hash of a password for `basic_auth`", hash_password);
  hash_command->add_option("--algorithm", options.algorithm, "bcrypt or argon2id")
      ->check(CLI::IsMember({"bcrypt", "argon2id"}))
      ->capture_default_str();
  hash_command->add_option("--password", options.password,
                           "the password; without it, it is asked for or read from the input");
  add("schema", "print the JSON Schema of the site file", [](const Options&) {
    fmt::print("{}\n", conf::json_schema());
    return exit_done;
  });
  with_config(add("trust", "install the internal CA's root into the system's store", trust));
  add("version", "print the version", [](const Options&) {
    fmt::print("portero {}\n", PORTERO_VERSION);
    return exit_done;
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    const int shown = app.exit(wrong);
    return shown == 0 ? exit_done : exit_usage;
  } catch (const std::exception& failed) {
    fmt::print(stderr, "portero: {}\n", failed.what());
    return exit_failed;
  }
  return status;
}

}  // namespace portero
