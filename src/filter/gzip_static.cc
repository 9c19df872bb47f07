#include "filter/gzip_static.h"

#include <array>

namespace filter {
namespace {

constexpr std::array<config::Choice<GzipStatic>, 3> kModes{
    {{"off", GzipStatic::off}, {"on", GzipStatic::on}, {"always", GzipStatic::always}}};

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "gzip_static",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off | always",
     .default_text = "off",
     .documentation = "Whether \"FILE.gz\" is sent for \"FILE\": to clients that accept gzip, or "
                      "to all.",
     .set = config::set_enum<&GzipStaticOptions::mode, kModes>},
};

}  // namespace

const config::Feature kGzipStaticFeature{"gzip_static", kDirectives,
                                         config::inherit_options<GzipStaticOptions>};

}  // namespace filter
