// StepRecorder: puts into words what the steps of the pipeline tell.
#pragma once

#include <string>
#include <string_view>

#include "config/diagnostics.h"
#include "explain/explain.h"
#include "proxy/recorder.h"

namespace explain {

class StepRecorder final : public proxy::Recorder {
 public:
  StepRecorder(const Request& request, const config::Diagnostics& diagnostics,
               Explanation& explanation) noexcept
      : request_(request), diagnostics_(diagnostics), explanation_(explanation) {}

  void tell(Step step, const proxy::Context& context, std::string_view detail) override;
  void logged(observe::Level level, std::string_view message) override;
  void forwarded(const proxy::Context& context, const proxy::ForwardPlan& plan,
                 const proxy::Destination& destination, const http::OutgoingRequest& request,
                 std::string_view tls_name) override;
  void finished(const proxy::Context& context) override;
  [[nodiscard]] std::optional<unsigned> assumed_password() const override {
    return request_.password;
  }

  [[nodiscard]] bool is_over() const noexcept { return over_; }

 private:
  void add(std::string_view name, std::string text, config::Position at = {});
  void tell_server(const proxy::Context& context);
  void tell_client(const proxy::Context& context);
  void tell_location(const proxy::Context& context);
  void tell_limits(const proxy::Context& context, std::string_view detail);

  const Request& request_;
  const config::Diagnostics& diagnostics_;
  Explanation& explanation_;
  std::string client_;  // as told last
  bool over_ = false;
};

}  // namespace explain
