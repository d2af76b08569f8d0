#include "acme/order_run.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "acme/csr.hpp"
#include "base/log.hpp"

namespace portero::acme {
namespace {

using Milliseconds = std::chrono::milliseconds;

// Waits between two looks at something that the authority works on: short at first, as most are
// done at once, and as the authority says where it says something.
class Poll {
 public:
  explicit Poll(StopSignal& stop) : stop_(stop) {}

  void wait(std::chrono::seconds asked) {
    const Milliseconds time = asked.count() > 0
                                  ? Milliseconds(std::min(asked, std::chrono::seconds(60)))
                                  : std::exchange(next_, std::min(next_ * 3 / 2, longest));
    waited_ += time;
    if (waited_ > patience) {
      throw AcmeFailure("the authority did not come to an end within ten minutes");
    }
    stop_.pause(time);
  }

 private:
  static constexpr Milliseconds longest{5'000};
  static constexpr Milliseconds patience{600'000};
  StopSignal& stop_;
  Milliseconds next_{100};
  Milliseconds waited_{0};
};

class OrderRun {
 public:
  OrderRun(const OrderTools& tools, const OrderPlan& plan, std::string challenge)
      : tools_(tools), plan_(plan), challenge_(std::move(challenge)) {}

  Issued run() {
    Order order = begin();
    if (order.status == "pending") prove(order);
    order = wait_while(order, "pending");
    if (order.status == "ready") {
      order =
          tools_.client.finalize(tools_.account, order, make_csr({plan_.name}, stored_.key_pem));
    }
    order = wait_while(order, "processing");
    if (order.status != "valid" || order.certificate.empty()) fail(order);
    const std::string chain =
        tools_.client.download(tools_.account, order.certificate, plan_.preferred_chain);
    return {chain, stored_.key_pem, proven_by_, {}};
  }

 private:
  // An order that was under way when the process ended, or a new one.
  Order begin() {
    if (plan_.keep) {
      std::optional<StoredOrder> left = tools_.storage.load_order(plan_.name);
      if (left && left->directory == tools_.client.directory_url()) {
        stored_ = std::move(*left);
        if (std::optional<Order> order = resume()) return *order;
      }
    }
    tools_.before_order();
    if (stored_.key_pem.empty()) {
      stored_ = {tools_.client.directory_url(), "", make_key_pem()};
      keep();  // a key that the authority has signed for must not be lost
    }
    Order order =
        tools_.client.new_order(tools_.account, {plan_.name}, plan_.profile, plan_.replaces);
    stored_.url = order.url;
    keep();
    return order;
  }

  std::optional<Order> resume() {
    if (stored_.url.empty()) return std::nullopt;
    try {
      Order order = tools_.client.order(tools_.account, stored_.url);
      if (order.status != "invalid") return order;
    } catch (const AcmeFailure& gone) {
      log::info("acme.order_dropped", log::kv("name", plan_.name), log::kv("why", gone.what()));
    }
    return std::nullopt;
  }

  void keep() const {
    if (plan_.keep) tools_.storage.save_order(plan_.name, stored_);
  }

  void prove(const Order& order) {
    std::vector<std::unique_ptr<ChallengeBoard::Posted>> posted;
    std::vector<std::unique_ptr<DnsProof>> records;
    std::vector<std::string> open;
    for (const std::string& url : order.authorizations) {
      const Authorization authorization = tools_.client.authorization(tools_.account, url);
      if (authorization.status == "valid") continue;
      const Challenge& challenge = choose(authorization);
      if (challenge.type == "dns-01") {
        records.push_back(
            std::make_unique<DnsProof>(*tools_.dns, tools_.stop, authorization.name,
                                       key_authorization(challenge.token, tools_.account.key)));
      } else {
        posted.push_back(std::make_unique<ChallengeBoard::Posted>(
            tools_.board, challenge.type, authorization.name, challenge.token, tools_.account.key));
      }
      if (challenge.status == "pending") {
        tools_.client.answer_challenge(tools_.account, challenge);
      }
      proven_by_ = challenge.type;
      open.push_back(url);
    }
    for (const std::string& url : open) wait_for_proof(url);
  }

  const Challenge& choose(const Authorization& authorization) const {
    std::string offered;
    for (const Challenge& challenge : authorization.challenges) {
      if (challenge.type == challenge_) return challenge;
      offered += (offered.empty() ? "" : ", ") + challenge.type;
    }
    throw AcmeFailure(fmt::format("the authority does not offer {} for {} (it offers {})",
                                  challenge_, plan_.name, offered.empty() ? "nothing" : offered));
  }

  void wait_for_proof(const std::string& url) {
    for (Poll poll(tools_.stop);;) {
      const Authorization now = tools_.client.authorization(tools_.account, url);
      if (now.status == "valid") return;
      if (now.status != "pending") {
        for (const Challenge& challenge : now.challenges) {
          if (!challenge.error.empty()) throw failure_of_error(challenge.error, challenge.type);
        }
        throw AcmeFailure(fmt::format("{}: the authorization is {}", challenge_, now.status),
                          "unauthorized");
      }
      poll.wait(now.retry_after);
    }
  }

  Order wait_while(Order order, std::string_view status) {
    for (Poll poll(tools_.stop); order.status == status;) {
      poll.wait(order.retry_after);
      order = tools_.client.order(tools_.account, order.url);
    }
    if (order.status == "invalid") fail(order);
    return order;
  }

  [[noreturn]] void fail(const Order& order) const {
    if (plan_.keep) tools_.storage.drop_order(plan_.name);
    if (!order.error.empty()) throw failure_of_error(order.error, "the order");
    throw AcmeFailure(fmt::format("the order is {}", order.status));
  }

  const OrderTools& tools_;
  const OrderPlan& plan_;
  std::string challenge_;
  std::string proven_by_;
  StoredOrder stored_;
};

std::string reason_for(const OrderPlan& plan, const std::string& challenge,
                       const std::string& failures) {
  if (challenge.empty()) return "the authority remembered an earlier proof";
  if (!failures.empty()) return "after " + failures.substr(0, failures.rfind("; then "));
  if (plan.name.starts_with("*.")) return "only DNS proves a wildcard";
  return plan.challenges.size() == 1 ? "the only one of `challenges`" : "the first of `challenges`";
}

}  // namespace

Issued run_order(const OrderTools& tools, const OrderPlan& plan) {
  std::string failures;
  for (const std::string& challenge : plan.challenges) {
    try {
      Issued issued = OrderRun(tools, plan, challenge).run();
      issued.why = reason_for(plan, issued.challenge, failures);
      return issued;
    } catch (const AcmeFailure& failed) {
      // What only the network or a limit broke goes on from where it is.
      const bool may_go_on =
          failed.type.empty() || failed.type == "rateLimited" || failed.type == "serverInternal";
      if (plan.keep && !may_go_on) tools.storage.drop_order(plan.name);
      const bool is_last = &challenge == &plan.challenges.back();
      if (is_last || !failed.is_validation()) {
        throw AcmeFailure(failures + failed.what(), failed.type, failed.retry_after);
      }
      failures += std::string(failed.what()) + "; then ";
    }
  }
  throw AcmeFailure("no challenge can prove this name; see `challenges`");
}

}  // namespace portero::acme
