// The user's own command: `COMMAND present|cleanup NAME VALUE`.
#include "acme/dns_provider.hpp"
#include "acme/problem.hpp"
#include "acme/process.hpp"

namespace portero::acme {
namespace {

class Exec final : public DnsProvider {
 public:
  Exec(const conf::Dns& settings, StopSignal& stop) : settings_(settings), stop_(stop) {}

  void present(const TxtRecord& record) override { run("present", record); }
  void clean_up(const TxtRecord& record) override { run("cleanup", record); }

 private:
  void run(const std::string& action, const TxtRecord& record) {
    Command command;
    command.path = settings_.command;
    command.arguments = {action, record.name, record.value};
    command.environment = {{"PORTERO_DNS_ACTION", action},
                           {"PORTERO_DNS_NAME", record.name},
                           {"PORTERO_DNS_ZONE", record.zone},
                           {"PORTERO_DNS_VALUE", record.value}};
    const std::string problem = run_command(command, stop_);
    if (!problem.empty()) throw AcmeFailure("the DNS hook " + problem);
  }

  const conf::Dns settings_;
  StopSignal& stop_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_exec(const conf::Dns& settings, StopSignal& stop) {
  return std::make_unique<Exec>(settings, stop);
}

}  // namespace portero::acme
