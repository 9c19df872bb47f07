// The rules that every codec keeps (http/refusal.h), under this codec's name.
#pragma once

#include "http/refusal.h"

namespace http::h1 {

using http::explain;
using http::kRefusalCount;
using http::name_of;
using http::Refusal;
using http::status_of;

}  // namespace http::h1
