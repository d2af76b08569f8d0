#include "proxy/hop_by_hop.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

using http::FieldId;

bool is_usual_option(std::string_view option) noexcept {
  return iequals(option, "keep-alive") || iequals(option, "close") || iequals(option, "upgrade");
}

}  // namespace

bool is_hop_by_hop(const http::Field& field) noexcept {
  switch (field.id) {
    case FieldId::connection:
    case FieldId::http2_settings:
    case FieldId::keep_alive:
    case FieldId::proxy_authenticate:
    case FieldId::proxy_authorization:
    case FieldId::proxy_connection:
    case FieldId::proxy_name:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade: return true;
    case FieldId::other: break;
    default: return false;
  }
  constexpr std::string_view prefix = "proxy-";
  return field.name.size() > prefix.size() && iequals(field.name.substr(0, prefix.size()), prefix);
}

NominatedFields::NominatedFields(const http::HeaderList& fields) noexcept : fields_(fields) {
  for (const http::Field& field : fields) {
    if (field.id != FieldId::connection) continue;
    any_ = any_ || !for_each_list_element(field.value, is_usual_option);
  }
}

bool NominatedFields::contain(const http::Field& field) const noexcept {
  if (!any_) return false;
  if (field.id == FieldId::host || field.id == FieldId::content_length) return false;
  return fields_.has_token(FieldId::connection, field.name);
}

}  // namespace portero::proxy
