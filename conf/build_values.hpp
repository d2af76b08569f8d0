// Reads single values of a checked tree. A value that is absent or does not parse leaves the
// variable as it is: check_tree has reported it.
// Thread: any (pure).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/addresses.hpp"
#include "conf/config.hpp"
#include "conf/node.hpp"

namespace portero::conf {

// The texts of a scalar or of a list's scalars.
std::vector<std::string> texts_of(const Node* node);

void read_text(const Node& map, std::string_view name, std::string& out);
void read_boolean(const Node& map, std::string_view name, bool& out);
void read_duration(const Node& map, std::string_view name, Duration& out);
void read_size(const Node& map, std::string_view name, std::size_t& out);
void read_unsigned(const Node& map, std::string_view name, unsigned& out);
void read_port(const Node& map, std::string_view name, std::uint16_t& out);
void read_networks(const Node& map, std::string_view name, std::vector<std::string>& out);
// The client's timeouts under `timeouts` of a site or of the file.
void read_timeouts(const Node& map, Timeouts& out);

// Names and values of a map of scalars; a list of scalars gives the name several times.
std::vector<std::pair<std::string, std::string>> read_pairs(const Node* map);

// The map `{set, add, remove, replace}`; nullptr is none.
HeaderEdit read_headers(const Node* map);

}  // namespace portero::conf
