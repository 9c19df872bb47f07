// GrpcOptions, GrpcTlsOptions: what the grpc_* directives of one level say. They are those of
// proxy_pass with other values, so that a ForwardPlan is made of either.
#pragma once

#include "proxy/backend_tls_options.h"
#include "proxy/forward_options.h"

namespace proxy {

/// No directive changes what is set here.
struct GrpcOptions : ForwardOptions {
  GrpcOptions() {
    prefix = "grpc_";
    http_version = http::Version::http_2;
    buffering = false;
    request_buffering = false;
  }
};

struct GrpcTlsOptions : BackendTlsOptions {
  GrpcTlsOptions() { prefix = "grpc_"; }
};

extern const config::Feature kGrpcFeature;
extern const config::Feature kGrpcTlsFeature;

}  // namespace proxy
