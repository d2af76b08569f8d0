#include "hub/app_table.hpp"

#include "base/assert.hpp"

namespace portero::hub {

Channel* AppState::find_channel(std::string_view name) {
  const auto found = channels.find(name);
  return found != channels.end() ? &found->second : nullptr;
}

Channel& AppState::channel(std::string_view name) {
  if (Channel* const found = find_channel(name)) return *found;
  const auto [made, is_new] = channels.try_emplace(std::string(name), *this);
  PORTERO_ASSERT(is_new);
  made->second.name = made->first;
  return made->second;
}

void AppState::drop_if_unused(Channel& channel) {
  if (channel.in_use()) return;
  const auto found = channels.find(channel.name);
  PORTERO_ASSERT(found != channels.end() && &found->second == &channel);
  channels.erase(found);
}

AppState* AppTable::find_by_key(std::string_view key) const {
  const auto found = by_key_.find(key);
  return found != by_key_.end() ? found->second : nullptr;
}

AppState* AppTable::find_by_id(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? found->second : nullptr;
}

AppState& AppTable::by_number(AppNumber number) {
  if (number >= apps_.size()) apps_.resize(number + 1);
  std::unique_ptr<AppState>& entry = apps_[number];
  if (entry == nullptr) {
    entry = std::make_unique<AppState>();
    entry->number = number;
    entry->totals = &hub_.totals(number);
  }
  return *entry;
}

bool AppTable::adopt(const conf::Hub& settings) {
  std::vector<bool> was_active;
  for (const auto& entry : apps_) {
    was_active.push_back(entry != nullptr && entry->active);
    if (entry != nullptr) entry->active = false;
  }
  by_key_.clear();
  by_id_.clear();
  for (const conf::HubApp& each : settings.apps) {
    AppState& state = by_number(hub_.number_of(each.id));
    state.app = make_app(each);
    state.active = true;
    by_key_.emplace(each.key, &state);
    by_id_.emplace(each.id, &state);
  }
  for (std::size_t i = 0; i < was_active.size(); ++i) {
    if (was_active[i] && !apps_[i]->active) return true;
  }
  return false;
}

}  // namespace portero::hub
