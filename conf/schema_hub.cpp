// The schema table: the hub.

#include "conf/schema_objects.hpp"

namespace portero::conf::objects {
namespace {

using namespace values;

constexpr Word client_event_words[] = {{"members"}, {"all"}, {"none"}};
constexpr Word over_words[] = {{"error"}, {"close"}};
constexpr Value app_value = map(hub_app);

constexpr Key hub_keys[] = {
    {.name = "listen",
     .value = one(Form::loopback_listen),
     .doc = "A plain listener on the loopback interface, for the application that publishes: "
            "`127.0.0.1:8080` with `REVERB_HOST=127.0.0.1` and `REVERB_SCHEME=http`."},
    {.name = "apps",
     .value = map_of(app_value, Form::app_id),
     .doc = "The applications by id. Without this block the one application is `REVERB_APP_ID` "
            "of the environment or `env_file`."},
};

constexpr Key app_keys[] = {
    {.name = "key",
     .value = one(Form::app_key),
     .doc = "The public key, part of the URL that clients open.",
     .required = true},
    {.name = "secret",
     .value = one(Form::secret),
     .doc = "The secret that signs publishes and subscriptions.",
     .required = true},
    {.name = "allowed_origins",
     .value = some(Form::host_pattern),
     .fallback = "[\"*\"]",
     .doc = "Hosts of the pages that may open a socket; scheme and port do not count."},
    {.name = "max_connections",
     .value = integer(0, 100'000'000),
     .fallback = "0",
     .doc = "Open sockets; 0 is no limit."},
    {.name = "max_message_size",
     .value = size(100, 100 * megabyte),
     .fallback = "10KB",
     .doc = "The largest message of a client."},
    {.name = "client_events",
     .value = word(client_event_words),
     .fallback = "members",
     .doc = "Who may send `client-` events: `members` of a channel, `all` or `none`."},
    {.name = "ping_interval",
     .value = duration(second, day),
     .fallback = "60s",
     .doc = "How long a socket may be silent before it is pinged; after as long again without an "
            "answer it is closed."},
    {.name = "activity_timeout",
     .value = duration(second, day),
     .fallback = "30s",
     .doc = "What clients are told: after this long without traffic they ping."},
    {.name = "limits", .value = map(hub_limits), .doc = "Limits against floods."},
    {.name = "presence", .value = map(presence), .doc = "Limits of presence channels."},
    {.name = "cache",
     .value = map(cache),
     .doc = "The last event of cache channels.",
     .available = false,
     .instead = "use channels without the `cache-` prefix"},
    {.name = "history",
     .value = map(history),
     .doc = "Events kept for clients that come back.",
     .available = false,
     .instead = "load what was missed from the application"},
    {.name = "webhooks",
     .value = {.lists = Lists::only, .object = &webhook},
     .doc = "URLs that are told of channels and members.",
     .available = false,
     .instead = "ask the HTTP API (`/apps/ID/channels`)"},
};

constexpr Key limits_keys[] = {
    {.name = "messages",
     .value = {.scalar = Form::rate, .subject = "connection"},
     .doc = "Messages of one socket: `60/min per connection`."},
    {.name = "over",
     .value = word(over_words),
     .fallback = "error",
     .doc = "What a message past `messages` gets: an `error` each, or one and then a `close` "
            "(4301: clients do not come back by themselves)."},
    {.name = "connections",
     .value = {.scalar = Form::quota, .subject = "client_ip"},
     .doc = "Open sockets of one address: `100 per client_ip`."},
};

constexpr Key presence_keys[] = {
    {.name = "members",
     .value = integer(1, 100'000),
     .fallback = "100",
     .doc = "Members of one channel."},
    {.name = "member_size",
     .value = size(100, megabyte),
     .fallback = "2KB",
     .doc = "The data of one member."},
};

constexpr Key cache_keys[] = {
    {.name = "ttl",
     .value = duration(second, 30 * day),
     .fallback = "30m",
     .doc = "How long the last event is kept."},
};

constexpr Key history_keys[] = {
    {.name = "messages",
     .value = integer(0, 100'000),
     .fallback = "0",
     .doc = "Events kept per channel; 0 is none."},
    {.name = "age",
     .value = duration(second, day),
     .fallback = "2m",
     .doc = "How long an event is kept."},
};

constexpr Key webhook_keys[] = {
    {.name = "url", .value = one(Form::url), .doc = "Where it is posted to.", .required = true},
    {.name = "events", .value = some(Form::text), .doc = "Which events; all by default."},
};

}  // namespace

constinit const Object hub{"hub", "The hub", "hub", "", hub_keys};
constinit const Object hub_app{"hub_app", "An application of the hub", "hub.apps.ID", "", app_keys};
constinit const Object hub_limits{"hub_limits", "Limits of an application", "hub.apps.ID.limits",
                                  "", limits_keys};
constinit const Object presence{"presence", "Presence channels", "hub.apps.ID.presence", "",
                                presence_keys};
constinit const Object cache{"cache", "Cache channels", "hub.apps.ID.cache", "", cache_keys};
constinit const Object history{"history", "History", "hub.apps.ID.history", "", history_keys};
constinit const Object webhook{"webhook", "A webhook", "hub.apps.ID.webhooks", "", webhook_keys};

}  // namespace portero::conf::objects
