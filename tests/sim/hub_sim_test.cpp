// A hub of three workers lives through thousands of random joins, leaves, publishes and losses,
// with mail between the workers delivered in random order. What must hold, always:
//   - a socket hears of a channel only between its subscription's success and its leave, and then
//     every event, in the one order that all subscribers of the channel see;
//   - what a presence subscriber has been told adds up to who is there;
//   - when everyone has gone, nothing is left.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <doctest/doctest.h>

#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

constexpr std::size_t workers = 3;
const std::vector<std::string> open_channels = {"c0", "c1", "c2", "c3"};
const std::vector<std::string> presence_channels = {"presence-0", "presence-1", "presence-2"};

// What one socket believes about one channel.
struct Belief {
  bool subscribed = false;
  std::vector<std::int64_t> events;  // since the last success
  std::set<std::string> users;       // of a presence channel
};

struct Actor {
  std::unique_ptr<TestClient> client;
  std::map<std::string, Belief> beliefs;
  std::map<std::string, std::string> wanted;  // channel → user id ("" for open channels)
};

std::string text_of(const json::value& id) {
  return id.is_string() ? std::string(id.as_string()) : json::serialize(id);
}

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed), hub_(workers) {
    hub_.app().presence_members = 1000;
    hub_.adopt();
    for (std::size_t i = 0; i < open_channels.size(); ++i) {
      witnesses_.push_back(make_actor(i % workers));
      witnesses_.back()->client->subscribe(open_channels[i]);
    }
    hub_.settle();
    for (auto& witness : witnesses_) listen(*witness, true);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    hub_.settle();
    for (auto& witness : witnesses_) listen(*witness, true);
    for (auto& actor : actors_) listen(*actor, true);
    check_presence();
    lost_.clear();
    actors_.clear();
    witnesses_.clear();
    hub_.settle();
    CHECK(hub_.total(&Stats::connections) == 0);
    CHECK(hub_.total(&Stats::subscriptions) == 0);
    CHECK(hub_.total(&Stats::channels) == 0);
    for (auto& shard : hub_.shards) {
      CHECK(shard->find_app_state("reverb-key")->channels.empty());
      CHECK(shard->open_sockets() == 0);
    }
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  std::unique_ptr<Actor> make_actor(std::size_t worker) {
    auto actor = std::make_unique<Actor>();
    actor->client =
        std::make_unique<TestClient>(hub_, worker, "reverb-key", OpenOptions{.auto_settle = false});
    hub_.run();
    actor->client->id();
    return actor;
  }

  void step() {
    const std::size_t what = pick(100);
    if (what < 40) {
      const std::size_t worker = pick(workers);
      if (hub_.has_mail(worker)) hub_.deliver_mail(worker);
    } else if (what < 45 && actors_.size() < 40) {
      actors_.push_back(make_actor(pick(workers)));
    } else if (what < 60) {
      hub_.shard(pick(workers))
          .publish({"123456",
                    {open_channels[pick(open_channels.size())]},
                    "e",
                    std::to_string(++sequence_),
                    ""});
    } else if (!actors_.empty()) {
      act(pick(actors_.size()), what);
    }
    hub_.run();
    for (auto& actor : actors_) listen(*actor, false);
  }

  void act(std::size_t index, std::size_t what) {
    Actor& actor = *actors_[index];
    if (what < 62) {
      // The peer vanishes while mail about it is under way.
      actor.client->wire.reset = true;
      actor.client->wire.stream->readable().signal();
      lost_.push_back(std::move(actors_[index]));
      actors_.erase(actors_.begin() + static_cast<std::ptrdiff_t>(index));
    } else if (what < 72) {
      const std::string& channel = open_channels[pick(open_channels.size())];
      actor.client->subscribe(channel);
      actor.wanted[channel] = "";
    } else if (what < 84) {
      const std::string& channel = presence_channels[pick(presence_channels.size())];
      const std::string user = std::to_string(pick(6));
      actor.client->join(channel, user);
      actor.wanted[channel] = user;
    } else if (!actor.wanted.empty()) {
      const auto gone =
          std::next(actor.wanted.begin(), static_cast<std::ptrdiff_t>(pick(actor.wanted.size())));
      actor.client->unsubscribe(gone->first);
      hub_.run();
      listen(actor, false);
      actor.beliefs[gone->first] = {};
      left_.insert({&actor, gone->first});
      actor.wanted.erase(gone);
    }
  }

  // Checks every event against what the socket has been told before.
  void listen(Actor& actor, bool settled) {
    for (const json::object& event : actor.client->events()) {
      const std::string name(event.at("event").as_string());
      const std::string channel(event.at("channel").as_string());
      Belief& belief = actor.beliefs[channel];
      if (name == "pusher_internal:subscription_succeeded") {
        begin(actor, channel, event);
      } else if (name == "pusher_internal:member_added") {
        const std::string user = text_of(event.at("data").as_object().at("user_id"));
        CHECK(belief.subscribed);
        CHECK(belief.users.insert(user).second);
      } else if (name == "pusher_internal:member_removed") {
        const std::string user = text_of(event.at("data").as_object().at("user_id"));
        CHECK(belief.subscribed);
        CHECK(belief.users.erase(user) == 1);
      } else {
        REQUIRE(name == "e");
        CHECK(belief.subscribed);
        belief.events.push_back(event.at("data").as_int64());
      }
    }
    if (settled) check_order(actor);
  }

  void begin(Actor& actor, const std::string& channel, const json::object& event) {
    Belief& belief = actor.beliefs[channel];
    // A late success of a subscription that was given up begins nothing.
    if (!actor.wanted.contains(channel) && left_.contains({&actor, channel})) return;
    belief.subscribed = true;
    if (!channel.starts_with("presence-")) return;
    belief.users.clear();
    for (const auto& [user, info] :
         event.at("data").as_object().at("presence").as_object().at("hash").as_object()) {
      belief.users.insert(std::string(user));
    }
  }

  // What was heard since the success is a piece of what the channel's witness has heard.
  void check_order(const Actor& actor) {
    for (std::size_t i = 0; i < open_channels.size(); ++i) {
      const auto belief = actor.beliefs.find(open_channels[i]);
      if (belief == actor.beliefs.end() || belief->second.events.empty()) continue;
      const std::vector<std::int64_t>& all = witnesses_[i]->beliefs[open_channels[i]].events;
      const std::vector<std::int64_t>& heard = belief->second.events;
      CHECK(std::search(all.begin(), all.end(), heard.begin(), heard.end()) != all.end());
      // Still subscribed: nothing is missing at the end either.
      if (actor.wanted.contains(open_channels[i])) CHECK(heard.back() == all.back());
    }
  }

  void check_presence() {
    for (const std::string& channel : presence_channels) {
      std::set<std::string> truth;
      for (const auto& actor : actors_) {
        const auto wanted = actor->wanted.find(channel);
        if (wanted != actor->wanted.end()) truth.insert(wanted->second);
      }
      for (const auto& actor : actors_) {
        if (actor->wanted.contains(channel)) CHECK(actor->beliefs[channel].users == truth);
      }
      const ChannelInfo info = await_in(hub_, hub_.shard(pick(workers)).channel("123456", channel));
      CHECK(info.user_count == truth.size());
    }
  }

  std::mt19937 random_;
  HubHarness hub_;
  std::vector<std::unique_ptr<Actor>> witnesses_;  // subscribed from the start, one per channel
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<std::unique_ptr<Actor>> lost_;
  std::set<std::pair<const Actor*, std::string>> left_;
  std::int64_t sequence_ = 0;
};

}  // namespace

TEST_CASE("hub simulation: order, rosters and counts hold whatever happens in between") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    INFO("seed=" << seed);
    CAPTURE(seed);
    Simulation(seed).run(600);
  }
}
