#include "proxy/header_edits.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

void remove_field(http::HeaderList& fields, http::FieldId id, std::string_view name) {
  if (id != http::FieldId::other) {
    fields.remove(id);
  } else {
    fields.remove(name);
  }
}

}  // namespace

HeaderEdits::HeaderEdits(const conf::HeaderEdit& edit)
    : set_(compile(edit.set)), add_(compile(edit.add)) {
  for (const std::string& name : edit.remove) {
    remove_.push_back({name, http::identify_field(name)});
  }
  for (const conf::Replacement& change : edit.replace) {
    replace_.push_back({change.name, Regexp(change.from), Template(change.to)});
  }
}

std::vector<HeaderEdits::Value> HeaderEdits::compile(
    const std::vector<std::pair<std::string, std::string>>& list) {
  std::vector<Value> out;
  for (const auto& [name, text] : list) {
    out.push_back({name, http::identify_field(name), Template(text)});
  }
  return out;
}

void HeaderEdits::apply(http::HeaderList& fields, http::Exchange& exchange) const {
  for (const Name& gone : remove_) remove_field(fields, gone.id, gone.name);
  for (const Value& entry : set_) {
    // Expanded first: the new value may quote the old one.
    const std::string_view value = entry.value.expand(exchange, Place::field);
    remove_field(fields, entry.id, entry.name);
    fields.add(entry.name, value, entry.id);
  }
  for (const Value& entry : add_) {
    fields.add(entry.name, entry.value.expand(exchange, Place::field), entry.id);
  }
  if (!replace_.empty()) replace_in(fields, exchange);
}

void HeaderEdits::replace_in(http::HeaderList& fields, http::Exchange& exchange) const {
  for (const Change& change : replace_) {
    const std::string_view to = change.to.expand(exchange, Place::field);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const http::Field& field = fields.all()[i];
      if (!iequals(field.name, change.name)) continue;
      fields.set_value(i, exchange.arena.copy(change.from.replace_all(field.value, to)));
    }
  }
}

bool HeaderEdits::removes(http::FieldId id) const noexcept {
  return std::any_of(remove_.begin(), remove_.end(),
                     [id](const Name& name) { return name.id == id; });
}

void ResponseHeaders::apply(http::Exchange& exchange, http::Response& response) const {
  if (edits_.removes(http::FieldId::server)) response.server_header = false;
  edits_.apply(response.headers, exchange);
}

}  // namespace portero::proxy
