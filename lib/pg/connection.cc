#include "pg/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/connection_state.h"
#include "pg/conninfo.h"
#include "pg/copy_stream.h"

namespace bkp {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text ? text : "";
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// What is set for the applications of a role or a database is not for bkp.
constexpr std::string_view kPatience =
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    "SET default_transaction_read_only = off";

// "could not connect to …: FATAL:  x\n" of several lines → one line without the severity words.
std::string connection_message(const char* raw) {
  std::string text = trimmed(raw ? raw : "");
  for (const std::string_view severity : {"FATAL:  ", "ERROR:  "})
    for (auto at = text.find(severity); at != std::string::npos; at = text.find(severity, at))
      text.erase(at, severity.size());
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2))
    text.replace(at, 1, text.compare(at + 1, 1, "\t") == 0 ? " " : "; ");
  return text;
}

std::string connection_hint(const std::string& message) {
  if (message.find("password") != std::string::npos)
    return "passwords come from ~/.pgpass (0600), PGPASSWORD or the server's pg_hba.conf asks none";
  if (message.find("No such file") != std::string::npos ||
      message.find("refused") != std::string::npos)
    return "is the server running, and are host and port in the conninfo right?";
  if (message.find("database \"") != std::string::npos) return "psql -l lists the databases";
  return {};
}

}  // namespace

void PgConnection::State::wait_readable() {
  pollfd socket{PQsocket(connection.get()), POLLIN, 0};
  const int ready = ::poll(&socket, 1, 500);
  if (ready < 0 && errno != EINTR) throw_errno("poll");
  if (!interrupted()) return;  // under a shield what runs is to end by itself
  cancel();
  check_interrupt();
}

void PgConnection::State::cancel() noexcept {
  if (PGcancel* request = PQgetCancel(connection.get())) {
    char ignored[256];
    PQcancel(request, ignored, sizeof ignored);
    PQfreeCancel(request);
  }
}

PgResult PgConnection::State::next_result() {
  const auto begun = std::chrono::steady_clock::now();
  while (PQisBusy(connection.get())) {
    wait_readable();
    if (patience && std::chrono::steady_clock::now() - begun > *patience)
      throw PgError({ErrorCode::failed,
                     fmt::format("the server gave no answer for {} seconds", patience->count())},
                    "");
    if (!PQconsumeInput(connection.get())) break;
  }
  return {PQgetResult(connection.get()), &PQclear};
}

void PgConnection::State::require_sent(int sent) {
  if (!sent)
    throw PgError({ErrorCode::failed, connection_message(PQerrorMessage(connection.get()))}, "");
}

PgResult PgConnection::State::last_result() {
  PgResult last{nullptr, &PQclear};
  std::optional<PgError> error;
  for (PgResult result = next_result(); result; result = next_result()) {
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH)
      throw Error(ErrorCode::failed, "COPY where a plain statement was expected");
    if (!error && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
        status != PGRES_EMPTY_QUERY)
      error = to_error(result.get());
    last = std::move(result);
  }
  if (error) throw *error;
  return last;
}

void PgConnection::State::begin_copy(std::string_view statement, ExecStatusType expected) {
  require_sent(PQsendQuery(connection.get(), std::string(statement).c_str()));
  const PgResult start = next_result();
  if (start && PQresultStatus(start.get()) == expected) return;
  const PgError error = start ? to_error(start.get())
                              : PgError({ErrorCode::failed, "no answer to a COPY statement"}, "");
  while (next_result()) {
  }
  throw error;
}

PgError PgConnection::State::to_error(const PGresult* result) {
  std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = connection_message(PQresultErrorMessage(result));
  if (message.empty()) message = connection_message(PQerrorMessage(connection.get()));
  const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) message += " (" + detail + ")";
  return {{ErrorCode::failed, message, field(result, PG_DIAG_MESSAGE_HINT)},
          field(result, PG_DIAG_SQLSTATE)};
}

bool PgError::is_lost() const {
  // 57P01 to 57P03: it is being shut down, has crashed, is starting up.
  return sqlstate_.empty() || sqlstate_.starts_with("08") || sqlstate_ == "57P01" ||
         sqlstate_ == "57P02" || sqlstate_ == "57P03" || sqlstate_ == "25P03" ||
         sqlstate_ == "57P05";
}

PgConnection::PgConnection(const std::string& conninfo) : state_(std::make_unique<State>()) {
  Conninfo parsed(conninfo);
  if (!parsed.get("connect_timeout") && !std::getenv("PGCONNECT_TIMEOUT"))
    parsed.set("connect_timeout", "10");
  if (!parsed.get("application_name")) parsed.set("application_name", "bkp");
  parsed.set("client_encoding", "UTF8");
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : parsed.entries()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  state_->connection.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
  if (PQstatus(state_->connection.get()) != CONNECTION_OK) {
    const std::string message = connection_message(PQerrorMessage(state_->connection.get()));
    throw PgError({ErrorCode::failed,
                   fmt::format("cannot connect to '{}': {}", describe_conninfo(conninfo), message),
                   connection_hint(message)},
                  "");
  }
  PQsetNoticeProcessor(
      state_->connection.get(), [](void*, const char*) {}, nullptr);
  execute(kPatience);
}

PgConnection::~PgConnection() = default;
PgConnection::PgConnection(PgConnection&&) noexcept = default;

std::vector<PgRow> PgConnection::query(std::string_view statement,
                                       const std::vector<std::string>& values) {
  return query_typed(statement, {values.begin(), values.end()}).rows;
}

PgTypedRows PgConnection::query_typed(std::string_view statement,
                                      const std::vector<std::optional<std::string>>& values) {
  std::vector<const char*> parameters;
  for (const auto& value : values) parameters.push_back(value ? value->c_str() : nullptr);
  state_->require_sent(PQsendQueryParams(state_->connection.get(), std::string(statement).c_str(),
                                         static_cast<int>(parameters.size()), nullptr,
                                         parameters.data(), nullptr, nullptr, 0));
  const PgResult result = state_->last_result();
  PgTypedRows found;
  if (!result) return found;
  const int columns = PQnfields(result.get());
  for (int column = 0; column < columns; ++column)
    found.types.push_back(PQftype(result.get(), column));
  found.rows.reserve(static_cast<std::size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    PgRow& fields = found.rows.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result.get(), row, column)) {
        fields.emplace_back();
      } else {
        fields.emplace_back(std::in_place, PQgetvalue(result.get(), row, column),
                            static_cast<std::size_t>(PQgetlength(result.get(), row, column)));
      }
    }
  }
  return found;
}

std::string PgConnection::query_value(std::string_view statement,
                                      const std::vector<std::string>& values) {
  const auto rows = query(statement, values);
  if (rows.empty() || rows.front().empty() || !rows.front().front())
    throw Error(ErrorCode::failed, fmt::format("no value from the server for '{}'", statement));
  return *rows.front().front();
}

void PgConnection::execute(std::string_view statements) {
  state_->require_sent(PQsendQuery(state_->connection.get(), std::string(statements).c_str()));
  state_->last_result();
}

std::uint64_t PgConnection::copy_out(std::string_view statement,
                                     const std::function<void(ByteView row)>& row) {
  CopyOut copy(*this, statement);
  std::uint64_t rows = 0;
  for (ByteView line; copy.next(line); ++rows) row(line);
  return rows;
}

void PgConnection::answer_within(std::chrono::seconds patience) { state_->patience = patience; }

int PgConnection::server_version() const { return PQserverVersion(state_->connection.get()); }
std::string PgConnection::database() const { return PQdb(state_->connection.get()); }
std::string PgConnection::user() const { return PQuser(state_->connection.get()); }

std::string PgConnection::quote_identifier(std::string_view name) const {
  const std::unique_ptr<char, decltype(&PQfreemem)> quoted(
      PQescapeIdentifier(state_->connection.get(), name.data(), name.size()), &PQfreemem);
  if (!quoted) throw Error(ErrorCode::failed, "not a name in the connection's encoding");
  return quoted.get();
}

std::string PgConnection::quote_literal(std::string_view text) const {
  const std::unique_ptr<char, decltype(&PQfreemem)> quoted(
      PQescapeLiteral(state_->connection.get(), text.data(), text.size()), &PQfreemem);
  if (!quoted) throw Error(ErrorCode::failed, "not a text in the connection's encoding");
  return quoted.get();
}

}  // namespace bkp
