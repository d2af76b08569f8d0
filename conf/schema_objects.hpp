// The objects of the schema table by name, and short ways to write values: for the table's own
// files (schema*.cpp) only.
// Thread: any (constant data).
#pragma once

#include "conf/schema.hpp"

namespace portero::conf::objects {

extern const Object root;
extern const Object log;
extern const Object timeouts;
extern const Object acme;
extern const Object issuer;
extern const Object external_account;
extern const Object dns;
extern const Object certificate_events;
extern const Object on_demand;

extern const Object site;
extern const Object route;
extern const Object match;
extern const Object tls;
extern const Object client_auth;
extern const Object access_log;
extern const Object roll;
extern const Object headers;
extern const Object replacement;

extern const Object proxy;
extern const Object proxy_timeouts;
extern const Object proxy_tls;
extern const Object health;
extern const Object passive_health;
extern const Object queue;
extern const Object retries;
extern const Object respond;
extern const Object redirect;

extern const Object php;
extern const Object php_timeouts;
extern const Object files;
extern const Object encode;
extern const Object basic_auth;
extern const Object forward_auth;
extern const Object limits;
extern const Object error_page;
extern const Object maintenance;

extern const Object hub;
extern const Object hub_app;
extern const Object hub_limits;
extern const Object presence;
extern const Object cache;
extern const Object history;
extern const Object webhook;

}  // namespace portero::conf::objects

namespace portero::conf::values {

constexpr Value one(Form form) { return {.scalar = form}; }
constexpr Value some(Form form) { return {.scalar = form, .lists = Lists::also}; }
constexpr Value word(std::span<const Word> words) { return {.words = words}; }
constexpr Value word_list(std::span<const Word> words) {
  return {.words = words, .lists = Lists::also};
}
constexpr Value map(const Object& object) { return {.object = &object}; }
constexpr Value one_or_map(Form form, const Object& object) {
  return {.scalar = form, .object = &object};
}
constexpr Value map_of(const Value& entries, Form names) {
  return {.entries = &entries, .names = names};
}
constexpr Value integer(std::int64_t min, std::int64_t max) {
  return {.scalar = Form::integer, .bounds = {min, max}};
}
// Units: milliseconds.
constexpr Value duration(std::int64_t min, std::int64_t max) {
  return {.scalar = Form::duration, .bounds = {min, max}};
}
// Units: bytes.
constexpr Value size(std::int64_t min, std::int64_t max) {
  return {.scalar = Form::size, .bounds = {min, max}};
}

constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t megabyte = 1'000'000;

inline constexpr Value text_value = one(Form::text);
inline constexpr Value secret_value = one(Form::secret);
inline constexpr Value header_text = one(Form::header_value);
inline constexpr Word challenge_words[] = {{"tls-alpn-01"}, {"http-01"}, {"dns-01"}};
inline constexpr Word issuer_words[] = {{"letsencrypt"}, {"letsencrypt-staging"}, {"zerossl"}};
inline constexpr Value issuer_list = {
    .words = issuer_words, .lists = Lists::also, .object = &objects::issuer};
inline constexpr Value header_texts = some(Form::header_value);

}  // namespace portero::conf::values
