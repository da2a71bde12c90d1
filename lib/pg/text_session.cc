#include "pg/text_session.h"

#include <fmt/format.h>

#include "pg/tools.h"

namespace bkp {

void set_text_session(PgConnection& connection) {
  std::string statements =
      "SET synchronize_seqscans = off; SET row_security = off;"
      "SELECT pg_catalog.set_config('search_path', '', false);";
  if (connection.major() >= 17) statements += "SET transaction_timeout = 0;";
  for (const SessionSetting& setting : fixed_text_settings())
    statements +=
        fmt::format("SET {} TO {};", setting.name, connection.quote_literal(setting.value));
  connection.execute(statements);
}

}  // namespace bkp
