// The JSON Schema of the site file, from the schema table.

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "conf/forms.hpp"
#include "conf/schema.hpp"

namespace portero::conf {
namespace {

namespace json = boost::json;

// A value may come from the environment, whatever its type is.
constexpr std::string_view reference_pattern = "\\$\\{";

json::value reference(const Object& object) {
  return json::object{{"$ref", fmt::format("#/$defs/{}", object.name)}};
}

json::value environment_text() {
  return json::object{{"type", "string"}, {"pattern", reference_pattern}};
}

void add_scalar(const Value& value, json::array& shapes) {
  if (value.scalar == Form::none) return;
  const FormInfo& info = form_info(value.scalar);
  if (info.type == JsonType::boolean) {
    shapes.push_back(json::object{{"type", "boolean"}});
    shapes.push_back(environment_text());
    return;
  }
  if (info.type == JsonType::integer) {
    json::object number{{"type", "integer"}};
    if (value.scalar == Form::integer) {
      number["minimum"] = value.bounds.min;
      number["maximum"] = value.bounds.max;
    }
    shapes.push_back(std::move(number));
    shapes.push_back(environment_text());
    return;
  }
  json::object text{{"type", json::array{"string", "number"}}};
  if (!info.pattern.empty()) {
    text["pattern"] = fmt::format("({})|{}", info.pattern, reference_pattern);
  }
  shapes.push_back(std::move(text));
}

void add_words(const Value& value, json::array& shapes) {
  json::array words;
  for (const Word& word : value.words) {
    if (!word.available) continue;
    if (word.text == "true") words.push_back(true);
    // YAML reads 1.2 without quotes as a number.
    if (word.text.find_first_not_of("0123456789.") == std::string_view::npos) {
      words.push_back(json::parse(word.text));
    }
    words.push_back(json::string(word.text));
  }
  if (words.empty()) return;
  shapes.push_back(json::object{{"enum", std::move(words)}});
  if (value.scalar == Form::none) shapes.push_back(environment_text());
}

json::value schema_of(const Value& value);

void add_map(const Value& value, json::array& shapes) {
  if (value.object != nullptr) shapes.push_back(reference(*value.object));
  if (value.entries == nullptr) return;
  shapes.push_back(
      json::object{{"type", "object"}, {"additionalProperties", schema_of(*value.entries)}});
}

json::value any_of(json::array shapes) {
  if (shapes.size() == 1) return std::move(shapes[0]);
  return json::object{{"anyOf", std::move(shapes)}};
}

json::value schema_of(const Value& value) {
  json::array shapes;
  add_words(value, shapes);
  add_scalar(value, shapes);
  add_map(value, shapes);
  if (value.may_be_empty) shapes.push_back(json::object{{"type", "null"}});
  if (value.lists == Lists::no) return any_of(std::move(shapes));
  json::object list{{"type", "array"}, {"minItems", 1}, {"items", any_of(shapes)}};
  if (value.lists == Lists::only) return list;
  shapes.push_back(std::move(list));
  return any_of(std::move(shapes));
}

json::object schema_of(const Object& object) {
  json::object properties;
  json::array required;
  for (const Key& key : object.keys) {
    if (!key.available) continue;
    const json::value shape = schema_of(key.value);
    json::object property{{"description", json::string(key.doc)}};
    for (const auto& [name, part] : shape.as_object()) property[name] = part;
    properties[key.name] = std::move(property);
    if (key.required) required.push_back(json::string(key.name));
  }
  json::object out{{"type", "object"}};
  if (!object.doc.empty()) out["description"] = json::string(object.doc);
  out["properties"] = std::move(properties);
  if (!required.empty()) out["required"] = std::move(required);
  if (&object == &root_object()) out["patternProperties"] = json::object{{"^x-", json::object{}}};
  out["additionalProperties"] = false;
  return out;
}

// Boost.JSON prints on one line; people read this.
void print(const json::value& value, std::size_t indent, std::string& out) {
  const auto children = [&](const auto& list, char open, char close, const auto& print_child) {
    out += open;
    std::size_t count = 0;
    for (const auto& child : list) {
      out += (count++ == 0 ? "\n" : ",\n") + std::string(indent + 2, ' ');
      print_child(child);
    }
    if (count > 0) out += "\n" + std::string(indent, ' ');
    out += close;
  };
  if (value.is_object()) {
    children(value.get_object(), '{', '}', [&](const json::key_value_pair& member) {
      out += json::serialize(json::string(member.key())) + ": ";
      print(member.value(), indent + 2, out);
    });
  } else if (value.is_array()) {
    children(value.get_array(), '[', ']',
             [&](const json::value& item) { print(item, indent + 2, out); });
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string json_schema() {
  json::object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", fmt::format("Site file of portero {}", schema_version())}};
  for (const auto& [name, part] : schema_of(root_object())) schema[name] = part;
  json::object definitions;
  for (const Object* object : all_objects()) {
    if (object == &root_object() || !is_available(*object)) continue;
    definitions[object->name] = schema_of(*object);
  }
  schema["$defs"] = std::move(definitions);
  std::string out;
  print(schema, 0, out);
  return out;
}

}  // namespace portero::conf
