// Variables of the client's connection.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "observe/totals.h"
#include "script/getters.h"

namespace script {
namespace {

using exchange::Exchange;

Text binary_remote_addr(Exchange& ex) {
  if (ex.remote.is_unix()) return "unix:";
  return ex.remote.ip_bytes();
}
Text connection(Exchange& ex) { return number_text(ex.arena, ex.connection.number); }
Text connection_requests(Exchange& ex) { return number_text(ex.arena, ex.connection.requests); }
Text connection_time(Exchange& ex) {
  return seconds_text(ex.arena, ex.now - ex.connection.accepted_at);
}
Text https(Exchange& ex) { return ex.connection.tls ? "on" : ""; }
Text scheme(Exchange& ex) { return ex.connection.tls ? "https" : "http"; }
Text pipe(Exchange& ex) { return ex.pipelined ? "p" : "."; }
Text remote_addr(Exchange& ex) { return ip_text(ex.arena, ex.remote); }
Text remote_port(Exchange& ex) { return port_text(ex.arena, ex.remote); }
Text realip_remote_addr(Exchange& ex) { return ip_text(ex.arena, ex.connection.peer); }
Text realip_remote_port(Exchange& ex) { return port_text(ex.arena, ex.connection.peer); }
Text server_addr(Exchange& ex) {
  // Of a listening socket the path is known, unlike a client's.
  if (ex.connection.local.is_unix()) return ex.arena.copy(ex.connection.local.text());
  return ip_text(ex.arena, ex.connection.local);
}
Text server_port(Exchange& ex) { return port_text(ex.arena, ex.connection.local); }

template <std::uint64_t observe::ConnectionCounts::* Member>
Text connections(Exchange& ex) {
  if (ex.connection.totals == nullptr) return std::nullopt;
  return number_text(ex.arena, observe::connection_counts(*ex.connection.totals).*Member);
}

// As the kernel counts it; nothing for Unix sockets.
template <auto Member>
Text tcp_info_of(Exchange& ex) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (ex.connection.socket < 0 ||
      ::getsockopt(ex.connection.socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return std::nullopt;
  }
  return number_text(ex.arena, info.*Member);
}

constexpr VariableSpec kTable[] = {
    {.name = "binary_remote_addr",
     .get = of_exchange<binary_remote_addr>,
     .documentation = "the client's address in 4 or 16 bytes"},
    {.name = "connection",
     .get = of_exchange<connection>,
     .documentation = "the connection's number"},
    {.name = "connection_requests",
     .get = of_exchange<connection_requests>,
     .documentation = "requests that came over the connection so far"},
    {.name = "connection_time",
     .get = of_exchange<connection_time>,
     .documentation = "the connection's age in seconds with milliseconds"},
    {.name = "connections_active",
     .get = of_exchange<connections<&observe::ConnectionCounts::active>>,
     .documentation = "clients' connections of the program"},
    {.name = "connections_reading",
     .get = of_exchange<connections<&observe::ConnectionCounts::reading>>,
     .documentation = "those of them whose request is being read"},
    {.name = "connections_waiting",
     .get = of_exchange<connections<&observe::ConnectionCounts::waiting>>,
     .documentation = "those that are idle"},
    {.name = "connections_writing",
     .get = of_exchange<connections<&observe::ConnectionCounts::writing>>,
     .documentation = "those whose request is being answered"},
    {.name = "https", .get = of_exchange<https>, .documentation = "\"on\" over TLS, else empty"},
    {.name = "pipe",
     .get = of_exchange<pipe>,
     .documentation = "\"p\" for a pipelined request, else \".\""},
    {.name = "realip_remote_addr",
     .get = of_exchange<realip_remote_addr>,
     .documentation = "the address that connected, whatever realip made of it"},
    {.name = "realip_remote_port",
     .get = of_exchange<realip_remote_port>,
     .documentation = "the port that connected, whatever realip made of it"},
    {.name = "remote_addr",
     .get = of_exchange<remote_addr>,
     .documentation = "the client's address"},
    {.name = "remote_port", .get = of_exchange<remote_port>, .documentation = "the client's port"},
    {.name = "scheme", .get = of_exchange<scheme>, .documentation = "\"http\" or \"https\""},
    {.name = "server_addr",
     .get = of_exchange<server_addr>,
     .documentation = "the address at which the request came in"},
    {.name = "server_port",
     .get = of_exchange<server_port>,
     .documentation = "the port at which the request came in"},
    {.name = "tcpinfo_rcv_space",
     .get = of_exchange<tcp_info_of<&tcp_info::tcpi_rcv_space>>,
     .documentation = "the kernel's receive window for the client, in bytes"},
    {.name = "tcpinfo_rtt",
     .get = of_exchange<tcp_info_of<&tcp_info::tcpi_rtt>>,
     .documentation = "the round trip to the client, in microseconds"},
    {.name = "tcpinfo_rttvar",
     .get = of_exchange<tcp_info_of<&tcp_info::tcpi_rttvar>>,
     .documentation = "its variation, in microseconds"},
    {.name = "tcpinfo_snd_cwnd",
     .get = of_exchange<tcp_info_of<&tcp_info::tcpi_snd_cwnd>>,
     .documentation = "the congestion window toward the client, in segments"},
};

}  // namespace

constinit const VariableTable kConnectionVariables = kTable;

}  // namespace script
