#include "name_lookup.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/log.hpp"

namespace portero {

struct NameLookup::State {
  const Resolve resolve;
  std::mutex mutex;  // guards everything below
  std::condition_variable changed;
  bool stopped = false;
  std::map<UpstreamName, std::shared_ptr<Lookup>> running;

  explicit State(Resolve function) : resolve(function) {}
  void run(const UpstreamName& name);
};

void NameLookup::State::run(const UpstreamName& name) {
  Addresses found = resolve(name.first, name.second);
  const std::lock_guard lock(mutex);
  const auto at = running.find(name);
  at->second->found = std::move(found);
  at->second->done = true;
  running.erase(at);
  changed.notify_all();
}

NameLookup::NameLookup(Resolve function) : state_(std::make_shared<State>(function)) {}

void NameLookup::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->changed.notify_all();
}

ResolvedNames NameLookup::resolve(const std::vector<UpstreamName>& names,
                                  std::chrono::milliseconds wait_max) {
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  std::unique_lock lock(state_->mutex);
  std::vector<std::shared_ptr<Lookup>> lookups;
  for (const UpstreamName& name : names) lookups.push_back(begin(name));
  state_->changed.wait_until(lock, deadline, [&] {
    return state_->stopped || std::all_of(lookups.begin(), lookups.end(),
                                          [](const auto& lookup) { return lookup->done; });
  });
  ResolvedNames resolved;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!lookups[i]->done || lookups[i]->found.empty()) continue;
    resolved[names[i].first + ":" + std::to_string(names[i].second)] = lookups[i]->found;
  }
  return resolved;
}

// The look-up of a name that runs, or a new one. The caller holds the lock.
std::shared_ptr<NameLookup::Lookup> NameLookup::begin(const UpstreamName& name) {
  const auto [at, added] = state_->running.try_emplace(name);
  if (!added) return at->second;
  const auto lookup = at->second = std::make_shared<Lookup>();
  try {
    std::thread([state = state_, name] { state->run(name); }).detach();
  } catch (const std::system_error& failed) {
    lookup->done = true;
    state_->running.erase(at);
    log::error("names.no_thread", log::kv("error", failed.what()));
  }
  return lookup;
}

}  // namespace portero
