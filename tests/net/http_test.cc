#include "net/http.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "base/interrupt.h"
#include "stream/memory_stream.h"
#include "support/sample_bytes.h"
#include "support/scripted_server.h"

using namespace bkp;
using namespace bkp::test;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;
using SteadyClock = std::chrono::steady_clock;

namespace {

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  return request;
}

HttpRequest put(const std::string& url, std::vector<ByteView> body) {
  HttpRequest request = get(url);
  request.method = "PUT";
  request.body = std::move(body);
  return request;
}

template <typename Call>
Kind failure_of(Call call) {
  try {
    call();
  } catch (const HttpFailure& failure) {
    return failure.kind();
  }
  FAIL("no HttpFailure");
  return Kind::stopped;
}

HttpOptions impatient() {
  HttpOptions options;
  options.connect_timeout = 5s;  // a busy machine takes its time to be refused
  options.stall = 1s;
  return options;
}

}  // namespace

TEST_CASE("an answer has a status, headers with lower-case names, and a body") {
  std::string seen;
  ScriptedServer server([&](Connection& connection) {
    seen = connection.read_request();
    connection.answer(404, "not here", "ETag:  \"abc\" \r\nX-Amz-Id: 1\r\n");
  });
  HttpClient client;
  HttpRequest request = get(server.url("/a/../b%2F?x=%20"));
  request.headers = {{"x-one", "1"}};
  const HttpResponse response = client.send(request);
  CHECK(response.status == 404);
  CHECK(to_string(response.body) == "not here");
  CHECK(*response.header("etag") == "\"abc\"");
  CHECK(response.header("none") == nullptr);
  CHECK_THAT(seen, Catch::StartsWith("GET /a/../b%2F?x=%20 HTTP/1.1\r\n"));
  CHECK_THAT(seen, Catch::Contains("x-one: 1\r\n"));
}

TEST_CASE("a body is sent with its length and without asking first") {
  std::mutex mutex;
  std::string last;
  ScriptedServer server([&](Connection& connection) {
    for (std::string request; !(request = connection.read_request()).empty();) {
      {
        const std::lock_guard lock(mutex);
        last = request;
      }
      connection.answer(200, "");
    }
  });
  HttpClient client;
  const Bytes large = sample_bytes(3'000'000);
  const auto body_of = [](const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
  };
  const auto check = [&](const HttpRequest& request, const std::string& body) {
    CHECK(client.send(request).status == 200);
    const std::lock_guard lock(mutex);
    const std::string& seen = last;
    CHECK(body_of(seen) == body);
    CHECK_THAT(seen, Catch::Contains(fmt::format("Content-Length: {}\r\n", body.size())));
    for (const char* absent : {"Expect", "Transfer-Encoding", "Content-Type"})
      CHECK_THAT(seen.substr(0, seen.find("\r\n\r\n")), !Catch::Contains(absent));
  };
  SECTION("large") { check(put(server.url(), {large}), to_string(large)); }
  SECTION("several views") {
    check(put(server.url(), {as_bytes("ab"), {}, as_bytes("c"), as_bytes("def")}), "abcdef");
  }
  SECTION("empty") { check(put(server.url(), {}), ""); }
  SECTION("POST") {
    HttpRequest request = put(server.url(), {as_bytes("x")});
    request.method = "POST";
    check(request, "x");
    request.body.clear();
    check(request, "");
  }
}

TEST_CASE("connections are used again, and a closed one is replaced") {
  std::atomic<int> served = 0;
  const bool hang_up = GENERATE(false, true);
  ScriptedServer server([&](Connection& connection) {
    while (!connection.read_request().empty()) {
      ++served;
      connection.answer(200, "ok");
      if (hang_up) return;
    }
  });
  HttpClient client;
  const Bytes body = sample_bytes(100'000);
  for (int i = 0; i < 4; ++i) CHECK(client.send(put(server.url(), {body})).status == 200);
  CHECK(served == 4);
  CHECK(server.connections() == (hang_up ? 4 : 1));
}

TEST_CASE("a request that must not be repeated is not, whatever became of a kept connection") {
  const auto repeat =
      GENERATE(HttpRequest::Repeat::if_connection_was_stale, HttpRequest::Repeat::never);
  std::atomic<int> posts = 0;
  ScriptedServer server([&](Connection& connection) {
    for (std::string request; !(request = connection.read_request()).empty();) {
      if (request.starts_with("POST") && ++posts == 1) return;
      connection.answer(200, "");
    }
  });
  HttpClient client;
  client.send(get(server.url()));
  HttpRequest request = get(server.url());
  request.method = "POST";
  request.repeat = repeat;
  if (repeat == HttpRequest::Repeat::never) {
    CHECK(failure_of([&] { client.send(request); }) == Kind::exchange);
    CHECK(posts == 1);
  } else {
    CHECK(client.send(request).status == 200);
    CHECK(posts == 2);
  }
}

TEST_CASE("a HEAD has no body whatever its length says") {
  ScriptedServer server([&](Connection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    connection.wait_for_hangup();
  });
  HttpClient client(impatient());
  HttpRequest request = get(server.url());
  request.method = "HEAD";
  const HttpResponse response = client.send(request);
  CHECK(*response.header("content-length") == "1234");
  CHECK(response.body.empty());
}

TEST_CASE("a large body is read at the reader's pace") {
  const Bytes content = sample_bytes(8'000'000);
  ScriptedServer server([&](Connection& connection) {
    connection.read_request();
    connection.answer(200, as_text(content));
  });
  HttpClient client(impatient());
  const auto stream = client.open(get(server.url()));
  Bytes part(100'000);
  Bytes got;
  std::size_t count = stream->read(part);
  std::this_thread::sleep_for(2s);  // longer than the stall that is allowed
  for (; count > 0; count = stream->read(part)) append(got, ByteView(part).first(count));
  CHECK(got == content);
  CHECK(stream->read(part) == 0);
}

TEST_CASE("a transport failure says how far the request can have come") {
  HttpClient client(impatient());
  SECTION("refused") {
    const std::string url = "http://127.0.0.1:" + std::to_string(free_port()) + "/";
    CHECK(failure_of([&] { client.send(get(url)); }) == Kind::connect);
  }
  SECTION("no such host") {
    CHECK(failure_of([&] { client.send(get("http://nowhere.invalid/")); }) == Kind::connect);
  }
  SECTION("not TLS") {
    ScriptedServer server([](Connection& connection) { connection.send("hello\r\n"); });
    const std::string url = "https" + server.url().substr(4);
    CHECK(failure_of([&] { client.send(get(url)); }) == Kind::connect);
  }
  SECTION("hung up before an answer") {
    ScriptedServer server([](Connection& connection) { connection.read_request(); });
    CHECK(failure_of([&] { client.send(get(server.url())); }) == Kind::exchange);
  }
  SECTION("reset before an answer") {
    ScriptedServer server([](Connection& connection) {
      connection.read_head();
      connection.reset();
    });
    const Bytes body = sample_bytes(5'000'000);
    CHECK(failure_of([&] { client.send(put(server.url(), {body})); }) == Kind::exchange);
  }
  SECTION("silent after the request") {
    ScriptedServer server([](Connection& connection) { connection.wait_for_hangup(); });
    CHECK(failure_of([&] { client.send(get(server.url())); }) == Kind::exchange);
  }
  SECTION("silent within the head") {
    ScriptedServer server([](Connection& connection) {
      connection.read_request();
      connection.send("HTTP/1.1 200 OK\r\nContent-");
      connection.wait_for_hangup();
    });
    CHECK(failure_of([&] { client.send(get(server.url())); }) == Kind::exchange);
  }
  SECTION("no HTTP at all") {
    ScriptedServer server([](Connection& connection) {
      connection.read_request();
      connection.send("220 mail.example ESMTP\r\n");
    });
    CHECK(failure_of([&] { client.send(get(server.url())); }) == Kind::exchange);
  }
  SECTION("beyond its own limit") {
    HttpClient patient;
    ScriptedServer server([](Connection& connection) { connection.wait_for_hangup(); });
    HttpRequest request = get(server.url());
    request.limit = 200ms;
    CHECK(failure_of([&] { patient.send(request); }) == Kind::exchange);
  }
}

TEST_CASE("a body that ends too soon, or stalls, is a failure and not its end") {
  const char* head = GENERATE("Content-Length: 10", "Transfer-Encoding: chunked");
  const bool stall = GENERATE(false, true);
  ScriptedServer server([&](Connection& connection) {
    connection.read_request();
    connection.send(fmt::format("HTTP/1.1 200 OK\r\n{}\r\n\r\n", head));
    connection.send(head[0] == 'C' ? "12345" : "5\r\n12345\r\n");
    if (stall) connection.wait_for_hangup();
  });
  HttpClient client(impatient());
  const auto stream = client.open(get(server.url()));
  Bytes part(100);
  CHECK(stream->read(part) == 5);
  CHECK(failure_of([&] { stream->read(part); }) == Kind::exchange);
  CHECK(failure_of([&] { stream->read(part); }) == Kind::exchange);
}

TEST_CASE("a refusal that comes before the body was sent is an answer") {
  ScriptedServer server([](Connection& connection) {
    connection.read_head();
    connection.answer(403, "<Error/>", "Connection: close\r\n");
    connection.wait_for_hangup();
  });
  HttpClient client;
  const Bytes body = sample_bytes(30'000'000);
  const HttpResponse response = client.send(put(server.url(), {body}));
  CHECK(response.status == 403);
  CHECK(to_string(response.body) == "<Error/>");
}

TEST_CASE("a status counts although the error's body is cut") {
  ScriptedServer server([](Connection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 503 Slow Down\r\nContent-Length: 100\r\n\r\n<Error>");
  });
  HttpClient client;
  CHECK(client.send(get(server.url())).status == 503);
}

TEST_CASE("a stop request ends a blocked call at once") {
  ScriptedServer server([](Connection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    connection.wait_for_hangup();
  });
  HttpClient client;
  std::stop_source stop;
  const auto stream = client.open(get(server.url()), stop.get_token());
  std::jthread stopper([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  Bytes part(10);
  const auto start = SteadyClock::now();
  CHECK(failure_of([&] { stream->read(part); }) == Kind::stopped);
  CHECK(SteadyClock::now() - start < 20s);
  CHECK(failure_of([&] { client.send(get(server.url()), stop.get_token()); }) == Kind::stopped);
}

TEST_CASE("a signal ends a blocked call, but not one that cleans up") {
  install_signal_handlers();
  ScriptedServer server([](Connection& connection) {
    const std::string head = connection.read_request();
    if (head.starts_with("DELETE")) return connection.answer(204, "");
    ::kill(::getpid(), SIGTERM);
    connection.wait_for_hangup();
  });
  HttpClient client;
  CHECK_THROWS_WITH(client.send(get(server.url())), "stopped by SIGTERM");
  HttpRequest cleanup = get(server.url());
  cleanup.method = "DELETE";
  CHECK_THROWS_WITH(client.send(cleanup), "stopped by SIGTERM");
  cleanup.on_signal = OnSignal::go_on;
  CHECK(client.send(cleanup).status == 204);
  clear_interrupt();
}

TEST_CASE("requests of several threads do not disturb each other") {
  ScriptedServer server([](Connection& connection) {
    for (std::string request; !(request = connection.read_request()).empty();)
      connection.answer(200, request.substr(request.find("\r\n\r\n") + 4));
  });
  HttpClient client;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (unsigned i = 0; i < 10; ++i) {
          const Bytes body = sample_bytes(50'000 + t, t * 100 + i);
          if (client.send(put(server.url(), {body})).body == body) ++right;
        }
      });
  }
  CHECK(right == 80);
  CHECK(server.connections() <= 80);
}

TEST_CASE("a Date header is a moment, and anything else is none") {
  CHECK(format_utc(parse_http_date("Fri, 24 May 2013 01:02:03 GMT").value()) ==
        "2013-05-24T01:02:03.000000Z");
  for (const char* text : {"", "24 May 2013 01:02:03 GMT", "Fri, 24 May 2013 01:02:03 UTC",
                           "Fri, 24 anM 2013 01:02:03 GMT", "Fri, 32 May 2013 01:02:03 GMT",
                           "Fri, 24 May 2013 25:02:03 GMT", "Friday, 24-May-13 01:02:03 GMT"}) {
    INFO(text);
    CHECK_FALSE(parse_http_date(text));
  }
}
