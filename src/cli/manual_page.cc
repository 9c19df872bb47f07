#include "cli/manual_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <vector>

#include "cli/reference.h"
#include "server/build_info.h"
#include "snapshot/features.h"

namespace cli {
namespace {

constexpr std::string_view kIntroduction = R"roff(.SH DESCRIPTION
.B sallyport
reads its configuration from
.IR /etc/sallyport/sallyport.conf ,
or from the file that
.B \-c
names.
The language is that of nginx.
.PP
A simple directive is a name, its arguments, and a semicolon.
A block directive has other directives between braces, and is the context in which they stand:
.PP
.nf
.RS 4
error_log /var/log/sallyport/error.log;
http {
    server {
        listen 443 ssl;
        server_name example.com;
        ssl_certificate     /etc/ssl/example.com.crt;
        ssl_certificate_key /etc/ssl/example.com.key;
        location / {
            proxy_pass http://127.0.0.1:9000;
        }
    }
}
.RE
.fi
.PP
What stands in no block is in the context main.
In a file without
.BR events " and " http ,
.BR server ", " upstream
and other directives of http may stand in main.
.PP
Most directives are inherited: what a block does not set holds in it as in the block around it.
Of directives that may be repeated, those of a block replace all of the block around it.
.PP
A # begins a comment, which ends with the line.
An argument that has blanks, braces or semicolons in it stands in quotes, single or double; a backslash
takes the meaning from the character behind it.
.SS Units
Sizes are bytes, or end in
.BR k ", " m " or " g .
Times are seconds, or numbers with units, from the largest to the smallest:
.BR y ", " M " (30 days), " w ", " d ", " h ", " m ", " s " and " ms ,
such as
.BR "1h 30m" .
.SS Variables
An argument may contain
.BI $ name
or
.BI ${ name }
where the directive allows it; the values are those of the request.
The names are below.
.SS Includes
.B include
.I file
stands for the directives in another file, or in all files that a pattern such as
.I sites/*.conf
matches, in any context.
Relative names begin at the directory of the configuration.
.SS Errors
A directive that is unknown, stands in the wrong context, or has wrong arguments is an error, and so is
one of nginx\(aqs that is not supported yet.
.B sallyport check
shows all errors of a configuration, and nothing is applied as long as there is one.
)roff";

constexpr std::string_view kEnd = R"roff(.SH FILES
.TP
.I /etc/sallyport/sallyport.conf
The configuration.
.SH SEE ALSO
.BR sallyport (8),
.BR nginx (8)
)roff";

std::string roff_call(const config::DirectiveSpec& spec) {
  const std::string call = call_of(spec);
  return fmt::format("\\fB{}\\fR{}", escape_roff(spec.name),
                     escape_roff(std::string_view(call).substr(spec.name.size())));
}

void add_directive(std::string& page, const config::DirectiveSpec& spec) {
  fmt::format_to(std::back_inserter(page), ".HP 4\n{}\n.RS 4\n{}\n.br\nIn {}.", roff_call(spec),
                 roff_line(spec.documentation), escape_roff(config::describe(spec.contexts)));
  if (spec.repeat == config::Repeat::repeatable) page += " May be repeated.";
  if (!spec.default_text.empty()) {
    fmt::format_to(std::back_inserter(page), " Default: \\fB{}\\fR.",
                   escape_roff(spec.default_text));
  }
  page += "\n.RE\n";
}

void add_variables(std::string& page, std::span<const script::VariableTable> tables) {
  std::vector<const script::VariableSpec*> specs;
  for (const script::VariableTable& table : tables) {
    for (const script::VariableSpec& spec : table) specs.push_back(&spec);
  }
  std::ranges::sort(specs, {}, &script::VariableSpec::name);
  page +=
      ".SH VARIABLES\n"
      "A name in italics stands for any name of the kind, in lower case and with _ for \\-.\n";
  for (const script::VariableSpec* spec : specs) {
    const bool family = spec->kind == script::VariableSpec::Kind::family;
    fmt::format_to(std::back_inserter(page), ".TP 4\n\\fB${}\\fR{}\n{}\n", escape_roff(spec->name),
                   family ? "\\fIname\\fR" : "", roff_line(spec->documentation));
  }
}

}  // namespace

std::string escape_roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\(rs"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      case '"': out += "\\(dq"; break;
      default: out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  }
  return out;
}

std::string roff_line(std::string_view text) {
  // A line that begins with a blank would be broken before; an apostrophe is an escape by now.
  const bool ambiguous = text.empty() || text.front() == '.' || text.front() == ' ';
  return (ambiguous ? "\\&" : "") + escape_roff(text);
}

std::string manual_page(std::span<const config::Feature> features,
                        std::span<const script::VariableTable> variables) {
  std::string page = fmt::format(
      ".TH SALLYPORT.CONF 5 \"\" \"Sallyport {}\"\n"
      ".nh\n"
      ".ad l\n"
      ".SH NAME\n"
      "sallyport.conf \\- configuration of the reverse proxy Sallyport\n",
      escape_roff(server::version()));
  page += kIntroduction;
  page += ".SH DIRECTIVES\n";
  for (const config::Feature& feature : features) {
    fmt::format_to(std::back_inserter(page), ".SS {}\n", escape_roff(title_of(feature.name)));
    for (const config::DirectiveSpec& spec : feature.directives) add_directive(page, spec);
  }
  add_variables(page, variables);
  page += kEnd;
  return page;
}

int print_manual_page() {
  const std::string page = manual_page(snapshot::features(), snapshot::variables());
  const bool written = std::fwrite(page.data(), 1, page.size(), stdout) == page.size();
  return written && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace cli
