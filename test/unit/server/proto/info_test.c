// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/proto/info.h"

static void expect(const struct mg_info *info, const char *want) {
    struct mg_buf b = MG_BUF_INIT;
    mg_info_write(info, &b);
    mg_buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    mg_buf_fini(&b);
}

static void writes_what_must_be_there(void **state) {
    (void)state;
    const struct mg_info info = {.server_id = "NID", .server_name = "n", .host = "0.0.0.0", .port = 4222,
                                 .max_payload = -1, .git_commit = "", .cluster = ""};
    expect(&info, "INFO {\"server_id\":\"NID\",\"server_name\":\"n\",\"version\":\"2.14.5\",\"proto\":1,"
                  "\"go\":\"midge0.1.0\",\"host\":\"0.0.0.0\",\"port\":4222,\"headers\":false,\"max_payload\":-1,"
                  "\"api_lvl\":4} \r\n");
}

static void writes_everything_in_order(void **state) {
    (void)state;
    static const char *const urls[] = {"10.0.0.1:4222", "[::1]:4222"};
    const struct mg_info info = {
        .server_id = "NID", .server_name = "<n>", .git_commit = "abc1234", .host = "h", .port = 1, .headers = true,
        .auth_required = true, .tls_required = true, .tls_verify = true, .tls_available = true, .max_payload = 1048576,
        .jetstream = true, .client_id = UINT64_MAX, .client_ip = "::1", .nonce = "abc", .cluster = "c", .domain = "d",
        .connect_urls = urls, .nconnect_urls = 2, .ldm = true, .connect_info = true, .remote_account = "$G",
        .acc_is_sys = true, .xkey = "XKEY",
    };
    expect(&info,
           "INFO {\"server_id\":\"NID\",\"server_name\":\"\\u003cn\\u003e\",\"version\":\"2.14.5\",\"proto\":1,"
           "\"git_commit\":\"abc1234\",\"go\":\"midge0.1.0\",\"host\":\"h\",\"port\":1,\"headers\":true,"
           "\"auth_required\":true,\"tls_required\":true,\"tls_verify\":true,\"tls_available\":true,"
           "\"max_payload\":1048576,"
           "\"jetstream\":true,\"client_id\":18446744073709551615,\"client_ip\":\"::1\",\"nonce\":\"abc\","
           "\"cluster\":\"c\","
           "\"domain\":\"d\",\"connect_urls\":[\"10.0.0.1:4222\",\"[::1]:4222\"],\"ldm\":true,\"connect_info\":true,"
           "\"remote_account\":\"$G\",\"acc_is_sys\":true,\"api_lvl\":4,\"xkey\":\"XKEY\"} \r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_must_be_there),
        cmocka_unit_test(writes_everything_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
