#include "server/status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/build_info.h"
#include "server/old_program.h"
#include "server/server.h"
#include "server/warnings.h"
#include "server/worker_reports.h"
#include "tls/library.h"

namespace server {
namespace {

using Json = nlohmann::ordered_json;

std::string time_text(base::WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)));
}

Json workers_of(const Server& server) {
  using observe::Counter;
  Json workers = Json::array();
  for (const auto& worker : server.workers()) {
    const auto& counters = worker->counters();
    workers.push_back({{"index", worker->index()},
                       {"connections", counters.get(Counter::connections_active)},
                       {"requests", counters.get(Counter::requests)},
                       {"loop_turns", counters.get(Counter::loop_turns)},
                       {"loop_stalls", counters.get(Counter::loop_stalls)}});
  }
  return workers;
}

/// {"requests": 5, "requests_refused_by_rule": {"bare_lf": 1}}
Json counters_of(std::span<const observe::Reading> readings) {
  Json counters = Json::object();
  for (const observe::Reading& reading : readings) {
    Json& slot = counters[std::string(reading.name)];
    if (reading.label.empty()) {
      slot = reading.value;
    } else {
      slot[std::string(reading.label_value)] = reading.value;
    }
  }
  return counters;
}

Json times_of(std::span<const WorkerReport> reports) {
  observe::Histogram all;
  for (const WorkerReport& report : reports) all.add(report.request_times);
  return {{"count", all.count()},
          {"p50", all.percentile(0.5)},
          {"p90", all.percentile(0.9)},
          {"p99", all.percentile(0.99)},
          {"buckets", all.buckets()}};
}

Json clusters_json(std::span<const upstream::ClusterReport> clusters) {
  Json all = Json::array();
  for (const upstream::ClusterReport& cluster : clusters) {
    Json peers = Json::array();
    for (const upstream::PeerReport& peer : cluster.peers) {
      peers.push_back({{"server", peer.server},
                       {"address", peer.address},
                       {"state", name_of(peer.state)},
                       {"backup", peer.backup},
                       {"weight", peer.weight},
                       {"active", peer.active},
                       {"idle", peer.idle},
                       {"attempts", peer.attempts},
                       {"failures", peer.failures}});
    }
    all.push_back({{"name", cluster.name}, {"group", cluster.is_group}, {"peers", peers}});
  }
  return all;
}

Json zones_json(std::span<const guard::ZoneReport> zones) {
  Json all = Json::array();
  for (const guard::ZoneReport& zone : zones) {
    const bool requests = zone.kind == guard::ZoneKind::requests;
    all.push_back({{"name", zone.name},
                   {"of", requests ? "limit_req" : "limit_conn"},
                   {"states", zone.states},
                   {"capacity", zone.capacity}});
  }
  return all;
}

/// Places that have had requests; workers on another snapshot than the newest wait for next time.
Json places_json(const StatusFacts& facts, snapshot::ItemKind kind) {
  Json all = Json::array();
  const auto& places = facts.server.places();
  std::vector<proxy::Traffic> sums(places.size());
  for (const WorkerReport& report : facts.reports) {
    if (report.snapshot != facts.server.snapshot().get()) continue;
    for (std::size_t i = 0; i < std::min(sums.size(), report.traffic.size()); ++i) {
      sums[i].add(report.traffic[i]);
    }
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    const proxy::Traffic& sum = sums[i];
    if (places[i].kind != kind || sum.requests == 0) continue;
    all.push_back({{"name", places[i].key},
                   {"requests", sum.requests},
                   {"1xx", sum.responses[0]},
                   {"2xx", sum.responses[1]},
                   {"3xx", sum.responses[2]},
                   {"4xx", sum.responses[3]},
                   {"5xx", sum.responses[4]},
                   {"bytes_in", sum.bytes_in},
                   {"bytes_out", sum.bytes_out}});
  }
  return all;
}

Json certificates_json(std::span<const CertificateFacts> certificates, base::WallTime now) {
  Json all = Json::array();
  for (const CertificateFacts& each : certificates) {
    all.push_back({{"file", each.file},
                   {"subject", each.subject},
                   {"names", each.names},
                   {"issuer", each.issuer},
                   {"serial", each.serial},
                   {"not_before", time_text(each.not_before)},
                   {"not_after", time_text(each.not_after)},
                   {"days_left", each.days_left(now)}});
  }
  return all;
}

/// What is short or not: {"open_files": {"limit": 1024, "short": false}, "memory": {...}}
Json machine_json(const Pressure& pressure) {
  using Shortage = Pressure::Shortage;
  const auto now = std::chrono::steady_clock::now();
  return {{"open_files",
           {{"limit", pressure.descriptor_limit()},
            {"short", pressure.is_recent(Shortage::descriptors, now)}}},
          {"memory",
           {{"limit", pressure.memory_limit()},
            {"used", pressure.memory_used()},
            {"short", pressure.is_recent(Shortage::memory, now)}}}};
}

Json draining_json(std::span<const DrainingProcess> processes) {
  Json all = Json::array();
  for (const DrainingProcess& process : processes) {
    Json each{{"pid", process.pid}, {"since", time_text(process.since)}};
    each["connections"] = process.connections ? Json(*process.connections) : Json();
    all.push_back(std::move(each));
  }
  return all;
}

Json old_program_json(const std::optional<OldProgram>& program) {
  if (!program) return nullptr;
  return {{"pid", program->pid},
          {"state", name_of(program->state)},
          {"connections", program->connections ? Json(*program->connections) : Json()}};
}

Json reload_json(const std::optional<ReloadOutcome>& outcome) {
  if (!outcome) return nullptr;
  const bool applied = outcome->kind == ReloadOutcome::Kind::applied;
  return {{"time", time_text(outcome->time)},
          {"outcome", applied ? "applied" : "refused"},
          {"generation", outcome->generation},
          {"text", outcome->text}};
}

}  // namespace

std::string status_json(const StatusFacts& facts) {
  const Server& server = facts.server;
  std::vector<CertificateFacts> certificates;
  if (server.snapshot() != nullptr) certificates = certificates_of(*server.snapshot());
  std::vector<upstream::ClusterReport> clusters;
  for (const WorkerReport& report : facts.reports) upstream::add(clusters, report.clusters);
  const std::vector<unsigned> silent = silent_workers(server, facts.reports);
  Json status;
  status["version"] = version();
  status["openssl"] = tls::library_version();
  status["generation"] = server.generation();
  status["state"] = server.ending() ? "ending" : "running";
  status["time"] = time_text(facts.now);
  status["time_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(facts.now.time_since_epoch()).count();
  status["pid"] = {{"supervisor", facts.process.supervisor}, {"server", facts.process.server}};
  status["server_restarts"] = facts.process.restarts;
  status["server_started"] = time_text(facts.process.started);
  status["server_uptime_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(facts.now - facts.process.started).count();
  status["draining"] = draining_json(facts.process.instance.draining);
  status["old_program"] = old_program_json(facts.process.instance.old_program);
  status["last_reload"] = reload_json(facts.process.instance.last_reload);
  Json& warnings = status["warnings"] = Json::array();
  for (const Warning& warning : warnings_of({.readings = facts.readings,
                                             .lately = facts.lately,
                                             .certificates = certificates,
                                             .clusters = clusters,
                                             .silent_workers = silent,
                                             .not_listening = server.not_listening(),
                                             .restarts = facts.process.restarts,
                                             .now = facts.now})) {
    warnings.push_back({{"about", warning.about}, {"text", warning.text}});
  }
  Json& listeners = status["listeners"] = Json::array();
  for (const auto& listener : server.listeners()) {
    listeners.push_back({{"address", listener.address},
                         {"tls", listener.tls},
                         {"proxy_protocol", listener.proxy_protocol}});
  }
  status["workers"] = workers_of(server);
  status["machine"] = machine_json(server.pressure());
  status["request_times_us"] = times_of(facts.reports);
  status["upstreams"] = clusters_json(clusters);
  status["zones"] = zones_json(server.zones());
  status["servers"] = places_json(facts, snapshot::ItemKind::server);
  status["locations"] = places_json(facts, snapshot::ItemKind::location);
  status["certificates"] = certificates_json(certificates, facts.now);
  status["counters"] = counters_of(facts.readings);
  return status.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace server
