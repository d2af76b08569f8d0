#include "hub/app.hpp"

namespace portero::hub {

App make_app(const conf::HubApp& settings) {
  App app;
  app.id = settings.id;
  app.key = settings.key;
  app.secret = settings.secret;
  app.origins = OriginRule(settings.allowed_origins);
  app.connections_max = settings.max_connections;
  app.connections_per_ip_max = settings.connections_per_ip;
  app.message_bytes_max = settings.max_message_size;
  app.client_events = settings.client_events;
  app.ping_interval = settings.ping_interval;
  app.activity_timeout = settings.activity_timeout;
  app.messages = settings.messages;
  app.close_over_messages = settings.close_over_messages;
  app.presence_members_max = settings.presence_members;
  app.presence_member_bytes_max = settings.presence_member_size;
  return app;
}

}  // namespace portero::hub
