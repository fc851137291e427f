%% The runs of Erlang/OTP. Prints a line of JSON for each metric.
%%
%%     erl -noshell -noinput -start_epmd false +P 4000000 -pa DIR -s actors main -extra send
%%
%% The echo client of the fairness run is the program that also measures Firn: its command line follows
%% the name of the run.
-module(actors).
-export([main/0, nothing/0, idle/0, echo/0, sink/2, busy/1]).
-export([init/1, handle_call/3, handle_cast/2, start_child/1]).
-behaviour(gen_server).

-define(RUNS, 5).
-define(IDLE, 1000000).
-define(NAMES, 10000).
-define(TIMERS, 100000).
-define(BUSY, 1000).
-define(ECHOES, 600).

main() ->
    [Run | Rest] = init:get_plain_arguments(),
    run(Run, Rest),
    halt(0).

run("send", _) -> report_rate("send", 2000000, fun send/1);
%% Like "send", but creates a tuple for each send, because a literal of the module is not copied.
%% This run is not part of the table:
%%
%%     erl … -s actors main -extra send-made
run("send-made", _) ->
    One = length(init:get_plain_arguments()),
    report_rate("send-made", 2000000, fun(N) ->
        Sink = spawn(?MODULE, sink, [self(), N]),
        send_made(Sink, N, One),
        receive done -> ok end
    end);
run("pingpong", _) ->
    Echo = spawn(?MODULE, echo, []),
    report_rate("pingpong", 300000, fun(N) -> ping(Echo, N) end);
run("call", _) ->
    {ok, Server} = gen_server:start_link(?MODULE, 0, []),
    report_rate("call", 300000, fun(N) -> calls(Server, N) end);
run("spawn", _) -> report_rate("spawn", 500000, fun spawn_and_exit/1);
run("spawn-await", _) -> report_rate("spawn-await", 200000, fun spawn_and_await/1);
%% Measures restarts: a service crashes, its supervisor restarts it, and it answers a call.
run("restart", _) ->
    logger:set_primary_config(level, none),
    {ok, _} = supervisor:start_link(?MODULE, {tree, self()}),
    report_each("restart", 2000, fun restarts/1);
run("idle", _) ->
    erlang:garbage_collect(),
    Memory = erlang:memory(total),
    Rss = rss(),
    Me = self(),
    T = seconds(fun() ->
        spawn(fun() ->
            All = spawn_idle(?IDLE, []),
            Me ! {spawned, length(All)},
            receive stop -> All end
        end),
        receive {spawned, ?IDLE} -> ok end
    end),
    report("idle.seconds", T),
    timer:sleep(300),
    report("idle.bytes", (erlang:memory(total) - Memory) / ?IDLE),
    report("idle.rss", (rss() - Rss) / ?IDLE);
run("names", _) ->
    All = [{list_to_atom("name " ++ integer_to_list(I)), spawn(?MODULE, idle, [])}
           || I <- lists:seq(1, ?NAMES)],
    Rates = [begin
        T = seconds(fun() -> [register(Name, Pid) || {Name, Pid} <- All] end),
        I < ?RUNS andalso [unregister(Name) || {Name, _} <- All],
        ?NAMES / T
    end || I <- lists:seq(1, ?RUNS)],
    report("register", median(Rates)),
    report_rate("whereis", 1000000, fun(N) ->
        [whereis(Name) || _ <- lists:seq(1, N div ?NAMES), {Name, _} <- All]
    end);
run("timers", _) ->
    Sink = spawn(?MODULE, idle, []),
    {Set, Cancel} = lists:unzip([begin
        T = now_ns(),
        Refs = [erlang:send_after(60000 + I rem 60000, Sink, I) || I <- lists:seq(1, ?TIMERS)],
        U = now_ns(),
        [erlang:cancel_timer(Ref) || Ref <- Refs],
        {(U - T) / ?TIMERS / 1000, (now_ns() - U) / ?TIMERS / 1000}
    end || _ <- lists:seq(1, ?RUNS)]),
    report("timers.set", median(Set)),
    report("timers.cancel", median(Cancel));
run("fairness", [Client | Args]) ->
    Options = [binary, {active, false}, {nodelay, true}, {ip, {127, 0, 0, 1}}],
    {ok, Listener} = gen_tcp:listen(0, Options),
    {ok, Number} = inet:port(Listener),
    spawn_link(fun() ->
        {ok, Socket} = gen_tcp:accept(Listener),
        echo_bytes(Socket)
    end),
    All = [spawn_link(?MODULE, busy, [0]) || _ <- lists:seq(1, ?BUSY)],
    [Pid ! {go, Pid} || Pid <- All],
    Line = Args ++ [integer_to_list(Number), integer_to_list(?ECHOES), "now"],
    Port = open_port({spawn_executable, Client}, [{args, Line}, {line, 1000}, binary]),
    receive {Port, {data, {eol, Percentiles}}} ->
        [P50, P99] = [binary_to_float(F) || F <- binary:split(Percentiles, <<" ">>)],
        report("fairness.p50", P50),
        report("fairness.p99", P99)
    end.

%% Sends N messages from this process to another, which replies after the last one.
send(N) ->
    Sink = spawn(?MODULE, sink, [self(), N]),
    send_all(Sink, N),
    receive done -> ok end.

send_all(_, 0) -> ok;
send_all(Sink, N) -> Sink ! {inc, 1}, send_all(Sink, N - 1).

send_made(_, 0, _) -> ok;
send_made(Sink, N, By) -> Sink ! {inc, By}, send_made(Sink, N - 1, By).

sink(Parent, 0) -> Parent ! done;
sink(Parent, N) -> receive {inc, By} -> sink(Parent, N - By) end.

echo() -> receive {From, Ball} -> From ! Ball, echo() end.

ping(_, 0) -> ok;
ping(Echo, N) -> Echo ! {self(), N}, receive N -> ping(Echo, N - 1) end.

init({tree, Me}) ->
    Child = #{id => child, start => {?MODULE, start_child, [Me]}},
    {ok, {#{intensity => 1000000, period => 5}, [Child]}};
init({child, Me}) -> Me ! {started, self()}, {ok, 0};
init(State) -> {ok, State}.
handle_call({inc, By}, _, State) -> {reply, State + By, State + By}.
handle_cast(crash, _) -> error(crash_requested);
handle_cast(_, State) -> {noreply, State}.

start_child(Me) -> gen_server:start_link(?MODULE, {child, Me}, []).

restarts(N) -> receive {started, First} -> restarts(N, First) end.

restarts(0, Last) -> self() ! {started, Last};
restarts(N, Child) ->
    gen_server:cast(Child, crash),
    receive {started, Next} -> gen_server:call(Next, {inc, 1}), restarts(N - 1, Next) end.

calls(_, 0) -> ok;
calls(Server, N) -> gen_server:call(Server, {inc, 1}), calls(Server, N - 1).

nothing() -> ok.

%% Spawns N processes that exit at once. The last one sends a message; others may exit after it.
spawn_and_exit(0) -> ok;
spawn_and_exit(1) ->
    Me = self(),
    spawn(fun() -> Me ! last end),
    receive last -> ok end;
spawn_and_exit(N) -> spawn(?MODULE, nothing, []), spawn_and_exit(N - 1).

spawn_and_await(0) -> ok;
spawn_and_await(N) ->
    {Pid, Ref} = spawn_monitor(?MODULE, nothing, []),
    receive {'DOWN', Ref, process, Pid, _} -> spawn_and_await(N - 1) end.

idle() -> receive stop -> ok end.

spawn_idle(0, All) -> All;
spawn_idle(N, All) -> spawn_idle(N - 1, [spawn(?MODULE, idle, []) | All]).

%% Runs a process that is never idle: it works for some microseconds, and sends itself a message.
busy(Sum) -> receive {go, Me} -> Me ! {go, Me}, busy(work(1000, Sum)) end.

work(0, Sum) -> Sum;
work(N, Sum) -> work(N - 1, (Sum * 31 + N) band 16#ffffff).

echo_bytes(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Bytes} -> ok = gen_tcp:send(Socket, Bytes), echo_bytes(Socket);
        {error, closed} -> ok
    end.

report_rate(Metric, N, Fun) -> report(Metric, rate(N, Fun)).

report_each(Metric, N, Fun) -> report(Metric, 1.0e6 / rate(N, Fun)).

rate(N, Fun) ->
    Fun(N),
    median([N / seconds(fun() -> Fun(N) end) || _ <- lists:seq(1, ?RUNS)]).

report(Metric, Value) ->
    Text = float_to_list(float(Value), [{decimals, 6}]),
    io:format("{\"metric\":\"~s\",\"value\":~s}~n", [Metric, Text]).

median(Values) -> lists:nth((length(Values) + 1) div 2, lists:sort(Values)).

seconds(Fun) ->
    T = now_ns(),
    Fun(),
    (now_ns() - T) / 1.0e9.

now_ns() -> erlang:monotonic_time(nanosecond).

rss() ->
    {ok, Bytes} = file:read_file("/proc/self/statm"),
    [_, Resident | _] = string:lexemes(binary_to_list(Bytes), " "),
    list_to_integer(Resident) * 4096.
