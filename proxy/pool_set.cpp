#include "proxy/pool_set.hpp"

#include <algorithm>

namespace portero::proxy {

Explained<PoolRef> PoolSet::get(const UpstreamSettings& settings) {
  const std::string key = settings.key();
  const auto found = pools_.find(key);
  if (found != pools_.end()) {
    found->second->set_limits(settings.idle, settings.max_concurrent);
    return found->second;
  }
  Explained<PoolRef> made = UpstreamPool::create(loop_, settings, state(key));
  if (!made) return made;
  pools_.emplace(key, *made);
  const auto known = names_.find(settings.name());
  if (known != names_.end()) (*made)->set_addresses(known->second);
  return made;
}

void PoolSet::set_names(const Names& names) {
  for (const auto& [name, addresses] : names) names_[name] = addresses;
  for (const auto& [key, pool] : pools_) {
    const auto found = names.find(pool->settings().name());
    if (found != names.end()) pool->set_addresses(found->second);
  }
}

void PoolSet::drop_unused() {
  std::erase_if(pools_, [](const auto& entry) { return entry.second->use_count() == 1; });
  std::erase_if(names_, [this](const auto& name) {
    return std::none_of(pools_.begin(), pools_.end(), [&](const auto& entry) {
      return entry.second->settings().name() == name.first;
    });
  });
}

}  // namespace portero::proxy
