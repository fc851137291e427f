%% The global names of Erlang/OTP between two nodes. Prints a line of JSON for each metric.
%%
%%     erl … -sname far@localhost  -s global_names far
%%     erl … -sname near@localhost -s global_names near -extra global FARNODE FARPID
-module(global_names).
-export([far/0, near/0]).

-define(LIFE_MS, 90000).
-define(LOOKUPS, 1000000).
-define(RUNS, 5).
-define(WARM_REGISTERS, 300).
-define(REGISTERS, 1500).

far() ->
    timer:apply_after(?LIFE_MS, erlang, halt, [1]),
    ok = net_kernel:monitor_nodes(true),
    io:format("{\"name\":\"~s\",\"process\":~s}~n", [node(), os:getpid()]),
    receive {nodedown, _} -> halt(0) end.

near() ->
    timer:apply_after(?LIFE_MS, erlang, halt, [1]),
    [_, Name, _] = init:get_plain_arguments(),
    Far = list_to_atom(Name),
    true = net_kernel:connect_node(Far),
    ok = global:sync(),
    Names = [{name, I} || I <- lists:seq(1, 1000)],
    [yes = global:register_name(N, idle()) || N <- Names],
    Tuple = list_to_tuple(Names),
    lookups(Tuple, ?LOOKUPS),
    Rates = [rate(Tuple) || _ <- lists:seq(1, ?RUNS)],
    report("whereis", lists:nth(3, lists:sort(Rates))),
    [register_one({warm, I}, idle()) || I <- lists:seq(1, ?WARM_REGISTERS)],
    Times = lists:sort([register_one({new, I}, idle()) || I <- lists:seq(1, ?REGISTERS)]),
    report("register.p50", lists:nth(?REGISTERS div 2 + 1, Times)),
    report("register.p99", lists:nth(?REGISTERS * 99 div 100 + 1, Times)),
    halt(0).

%% Starts an idle process, which will have one name.
idle() -> spawn(fun() -> receive never -> ok end end).

rate(Names) ->
    Before = erlang:monotonic_time(nanosecond),
    lookups(Names, ?LOOKUPS),
    ?LOOKUPS * 1.0e9 / (erlang:monotonic_time(nanosecond) - Before).

lookups(_, 0) -> ok;
lookups(Names, N) ->
    Pid = global:whereis_name(element(N rem 1000 + 1, Names)),
    true = is_pid(Pid),
    lookups(Names, N - 1).

%% Registers a name. Returns the duration in milliseconds.
register_one(Name, Pid) ->
    Before = erlang:monotonic_time(nanosecond),
    yes = global:register_name(Name, Pid),
    (erlang:monotonic_time(nanosecond) - Before) / 1.0e6.

report(Metric, Value) ->
    io:format("{\"metric\":\"~s\",\"value\":~.6f}~n", [Metric, float(Value)]).
