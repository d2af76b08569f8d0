// Builds the hub's applications, from `hub.apps` or from Laravel's REVERB_APP_… variables.

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.hpp"
#include "conf/build.hpp"
#include "conf/build_values.hpp"
#include "conf/forms.hpp"

namespace portero::conf {
namespace {

ClientEvents client_events(std::string_view text) {
  if (text == "all") return ClientEvents::all;
  return text == "none" ? ClientEvents::none : ClientEvents::members;
}

HubApp build_app(const Entry& entry) {
  HubApp app;
  app.where = entry.key->where;
  app.id = entry.key->text;
  const Node& map = *entry.value;
  read_text(map, "key", app.key);
  read_text(map, "secret", app.secret);
  if (map.has("allowed_origins")) app.allowed_origins = texts_of(map.find("allowed_origins"));
  read_unsigned(map, "max_connections", app.max_connections);
  read_size(map, "max_message_size", app.max_message_size);
  std::string events;
  read_text(map, "client_events", events);
  app.client_events = client_events(events);
  read_duration(map, "ping_interval", app.ping_interval);
  read_duration(map, "activity_timeout", app.activity_timeout);
  if (const Node* limits = map.find("limits"); limits != nullptr) {
    std::string text;
    read_text(*limits, "messages", text);
    if (const Parsed<Rate> rate = parse_rate(text)) app.messages = {rate->count, rate->per};
    text.clear();
    read_text(*limits, "over", text);
    app.close_over_messages = text == "close";
    text.clear();
    read_text(*limits, "connections", text);
    if (const Parsed<Quota> quota = parse_quota(text)) app.connections_per_ip = quota->count;
  }
  if (const Node* presence = map.find("presence"); presence != nullptr) {
    read_unsigned(*presence, "members", app.presence_members);
    read_size(*presence, "member_size", app.presence_member_size);
  }
  return app;
}

// Reads one application from the environment of a file. The place of messages is where the file
// asks for the hub.
class EnvironmentApp {
 public:
  EnvironmentApp(Problems& problems, const HubUse& use) : problems_(problems), use_(use) {}

  // Gives the names of the credentials that are missing; "" when the application is complete.
  std::string build(HubApp& app) {
    app.where = use_.where;
    std::vector<std::string_view> missing;
    read_credential("REVERB_APP_ID", {.scalar = Form::app_id}, app.id, missing);
    read_credential("REVERB_APP_KEY", {.scalar = Form::app_key}, app.key, missing);
    read_credential("REVERB_APP_SECRET", {.scalar = Form::secret}, app.secret, missing);
    if (missing.empty()) read_limits(app);
    return fmt::format("{}", fmt::join(missing, ", "));
  }

  void report_missing(const std::string& names) {
    const std::vector<std::string> files = use_.scope->environment.files();
    const std::string where = files.empty()
                                  ? std::string("the environment, and no `env_file` is given")
                                  : fmt::format("the environment and {}", fmt::join(files, ", "));
    const std::string target = files.empty() ? std::string(".env") : files.front();
    problems_.error({use_.where, use_.key_path,
                     fmt::format("the hub has no application: {} not set in {}; run `portero keys "
                                 "--env {}`, or describe it in `hub.apps`",
                                 names, where, target),
                     "", "", ""});
  }

 private:
  void read_limits(HubApp& app) {
    std::int64_t number = 0;
    if (read_number("REVERB_APP_MAX_CONNECTIONS", {0, 100'000'000}, number)) {
      app.max_connections = static_cast<unsigned>(number);
    }
    if (read_number("REVERB_APP_MAX_MESSAGE_SIZE", {100, 100'000'000}, number)) {
      app.max_message_size = static_cast<std::size_t>(number);
    }
    if (read_number("REVERB_APP_PING_INTERVAL", {1, 86'400}, number)) {
      app.ping_interval = std::chrono::seconds(number);
    }
    if (read_number("REVERB_APP_ACTIVITY_TIMEOUT", {1, 86'400}, number)) {
      app.activity_timeout = std::chrono::seconds(number);
    }
    if (const std::string* events = find("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM")) {
      if (*events != "all" && *events != "members" && *events != "none") {
        report("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", fmt::format("\"{}\" does not fit", *events),
               "members, all or none");
      }
      app.client_events = client_events(*events);
    }
    read_rate(app);
  }

  void read_rate(HubApp& app) {
    std::int64_t count = 60;
    std::int64_t seconds = 60;
    read_number("REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS", {1, 1'000'000'000}, count);
    read_number("REVERB_APP_RATE_LIMIT_DECAY_SECONDS", {1, 86'400}, seconds);
    if (!is_true("REVERB_APP_RATE_LIMITING_ENABLED")) return;
    app.messages = {static_cast<unsigned>(count), std::chrono::seconds(seconds)};
    app.close_over_messages = is_true("REVERB_APP_RATE_LIMIT_TERMINATE");
  }

  void read_credential(std::string_view name, const Value& form, std::string& out,
                       std::vector<std::string_view>& missing) {
    const std::string* text = find(name);
    if (text == nullptr) {
      missing.push_back(name);
      return;
    }
    out = *text;
    if (const std::optional<FormIssue> issue = check_form(form, *text)) {
      report(name, issue->message, "");
    }
  }

  bool read_number(std::string_view name, Bounds bounds, std::int64_t& out) {
    const std::string* text = find(name);
    if (text == nullptr) return false;
    const Parsed<std::int64_t> number = parse_integer(*text, bounds);
    if (number) {
      out = *number;
    } else {
      report(name, number.error().message, "a whole number");
    }
    return static_cast<bool>(number);
  }

  // Laravel reads an empty value and "null" as not set.
  const std::string* find(std::string_view name) const {
    const std::string* text = use_.scope->environment.find(name);
    if (text == nullptr || text->empty() || *text == "null" || *text == "(null)") return nullptr;
    return text;
  }

  bool is_true(std::string_view name) {
    const std::string* text = find(name);
    return text != nullptr && (iequals(*text, "true") || iequals(*text, "(true)") || *text == "1");
  }

  void report(std::string_view name, std::string_view message, std::string expected) {
    problems_.error({use_.where, use_.key_path,
                     fmt::format("{} of the environment: {}", name, message), std::move(expected),
                     "", ""});
  }

  Problems& problems_;
  const HubUse& use_;
};

// Where files ask for the application of their environment, once per file.
std::vector<HubUse> environment_uses(const BuildContext& context) {
  std::vector<HubUse> uses;
  const auto add = [&](const HubUse& use) {
    const auto same = [&](const HubUse& other) { return other.scope == use.scope; };
    if (std::none_of(uses.begin(), uses.end(), same)) uses.push_back(use);
  };
  for (const HubUse& use : context.hub_uses) {
    if (use.hub.all) add(use);
  }
  for (const FileScope& scope : context.scopes) {
    const Node* hub = scope.root->find("hub");
    const Node* listen = hub == nullptr ? nullptr : hub->find("listen");
    if (listen != nullptr) add({listen->where, "hub.listen", {}, &scope});
  }
  return uses;
}

void build_environment_apps(BuildContext& context) {
  std::set<std::string> told;  // several files that miss the same are told once
  for (const HubUse& use : environment_uses(context)) {
    HubApp app;
    EnvironmentApp reader(context.problems, use);
    const std::string missing = reader.build(app);
    if (!missing.empty()) {
      if (told.insert(missing).second) reader.report_missing(missing);
      continue;
    }
    const auto is_same = [&](const HubApp& other) {
      return other.id == app.id && other.key == app.key && other.secret == app.secret;
    };
    std::vector<HubApp>& apps = context.config.hub.apps;
    if (std::none_of(apps.begin(), apps.end(), is_same)) apps.push_back(std::move(app));
  }
}

void build_listen(BuildContext& context, const Node& node, std::string& listen) {
  const Parsed<ListenAddress> address = parse_listen(node.text);
  if (!listen.empty()) {
    context.problems.error(
        {node.where, "hub.listen", "another file has `hub.listen` already", "", "", ""});
  }
  if (address) listen = address->text();
}

}  // namespace

void build_hub(BuildContext& context) {
  Hub& hub = context.config.hub;
  bool has_apps = false;
  for (const FileScope& scope : context.scopes) {
    const Node* node = scope.root->find("hub");
    if (node == nullptr) continue;
    if (const Node* listen = node->find("listen"); listen != nullptr && listen->is_scalar()) {
      build_listen(context, *listen, hub.listen);
    }
    const Node* apps = node->find("apps");
    has_apps = has_apps || apps != nullptr;
    if (apps == nullptr) continue;
    for (const Entry& entry : apps->entries) hub.apps.push_back(build_app(entry));
  }
  if (!has_apps && context.is_complete) build_environment_apps(context);
}

}  // namespace portero::conf
