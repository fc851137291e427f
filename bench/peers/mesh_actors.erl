%% The runs of Erlang/OTP between two nodes. Prints a line of JSON for each metric.
%%
%%     erl … -sname far@localhost  -s mesh_actors far
%%     erl … -sname near@localhost -s mesh_actors near -extra RUN FARNODE FARPID
%%
%% The far node prints its name and its process id on a line, and exits with the near one.
-module(mesh_actors).
-export([far/0, near/0, sink/2, echo/0, swallow/0, hello/1, nothing/0]).
-export([init/1, handle_call/3, handle_cast/2]).
-behaviour(gen_server).

%% The time limit of a run in the driver, plus a margin. Milliseconds.
-define(LIFE_MS, 90000).
-define(WARM_MS, 800).
-define(FLOW_MS, 1000).
-define(FLOWS, 3).
-define(WARM_TRIPS, 1500).
-define(TRIPS, 5000).
-define(WARM_SPAWNS, 500).
-define(SPAWNS, 3000).
-define(MANY, 20000).
-define(FLIGHT, 1000).
-define(LARGE, 16 * 1024 * 1024 - 1024).
-define(WARM_LARGES, 3).
-define(LARGES, 12).

far() ->
    timer:apply_after(?LIFE_MS, erlang, halt, [1]),
    ok = net_kernel:monitor_nodes(true),
    register(echo, spawn(?MODULE, echo, [])),
    register(swallow, spawn(?MODULE, swallow, [])),
    {ok, _} = gen_server:start({local, answer}, ?MODULE, 0, []),
    io:format("{\"name\":\"~s\",\"process\":~s}~n", [node(), os:getpid()]),
    receive {nodedown, _} -> halt(0) end.

near() ->
    timer:apply_after(?LIFE_MS, erlang, halt, [1]),
    [Run, Name, Process] = init:get_plain_arguments(),
    Far = list_to_atom(Name),
    true = net_kernel:connect_node(Far),
    run(Run, Far, Process),
    halt(0).

run("send-64", Far, Process) ->
    flows("send-64", Far, Process, 1000, 10000, {fixed, binary:copy(<<"x">>, 64)});
run("send-object", Far, Process) ->
    flows("send-object", Far, Process, 1000, 10000, inc);
run("send-16k", Far, Process) ->
    flows("send-16k", Far, Process, 50, 500, {fixed, binary:copy(<<"x">>, 16384)});
run("trip", Far, _) ->
    Echo = {echo, Far},
    trips("trip", fun(I) -> Echo ! {self(), I}, receive I -> ok end end, ?WARM_TRIPS, ?TRIPS);
run("call", Far, _) ->
    Answer = {answer, Far},
    trips("call", fun(I) -> I = gen_server:call(Answer, I) end, ?WARM_TRIPS, ?TRIPS);
run("spawn", Far, _) ->
    Me = self(),
    trips("spawn", fun(_) ->
        spawn(Far, ?MODULE, hello, [Me]),
        receive hello -> ok end
    end, ?WARM_SPAWNS, ?SPAWNS);
run("spawn-many", Far, _) ->
    many(Far, ?MANY),
    Rates = [begin
        T = now_ns(),
        many(Far, ?MANY),
        ?MANY * 1.0e9 / (now_ns() - T)
    end || _ <- lists:seq(1, ?FLOWS)],
    report("spawn-many", median(Rates));
run("behind", Far, _) ->
    Large = binary:copy(<<"x">>, ?LARGE),
    [behind(Far, Large) || _ <- lists:seq(1, ?WARM_LARGES)],
    Delays = lists:append([behind(Far, Large) || _ <- lists:seq(1, ?LARGES)]),
    report("behind.p50", share(Delays, 0.5) / 1.0e6),
    report("behind.p99", share(Delays, 0.99) / 1.0e6).

%% One-way messages: sends bursts until the time is over, then waits for the last acknowledgement. The
%% runtime suspends a sender that is too fast.
flows(Metric, Far, Process, Burst, Ack, What) ->
    Sink = spawn(Far, ?MODULE, sink, [self(), Ack]),
    flow(Sink, Burst, Ack, What, ?WARM_MS),
    Before = cpu(Process),
    Flows = [flow(Sink, Burst, Ack, What, ?FLOW_MS) || _ <- lists:seq(1, ?FLOWS)],
    Sent = lists:sum([Count || {Count, _} <- Flows]),
    report(Metric, median([Count / Seconds || {Count, Seconds} <- Flows])),
    report(Metric ++ ".cpu", (cpu(Process) - Before) / Sent * 1.0e6).

flow(Sink, Burst, Ack, What, Ms) ->
    Start = now_ns(),
    Count = pour(Sink, Burst, Ack, What, Start + Ms * 1000000, 0),
    [receive {acked, Ack} -> ok end || _ <- lists:seq(1, Count div Ack)],
    {Count, (now_ns() - Start) / 1.0e9}.

pour(Sink, Burst, Ack, What, End, Count) ->
    send_all(Sink, What, Burst),
    Sent = Count + Burst,
    case Sent rem Ack =:= 0 andalso now_ns() >= End of
        true -> Sent;
        false -> pour(Sink, Burst, Ack, What, End, Sent)
    end.

send_all(_, _, 0) -> ok;
send_all(Sink, {fixed, Message} = What, N) -> Sink ! Message, send_all(Sink, What, N - 1);
send_all(Sink, inc, N) -> Sink ! {inc, N band 63}, send_all(Sink, inc, N - 1).

sink(From, Ack) -> sink(From, Ack, Ack, 0).

sink(From, Ack, 0, Sum) -> From ! {acked, Ack}, sink(From, Ack, Ack, Sum);
sink(From, Ack, Left, Sum) ->
    receive
        {inc, By} -> sink(From, Ack, Left - 1, Sum + By);
        Bytes -> sink(From, Ack, Left - 1, Sum + byte_size(Bytes))
    end.

%% Measures the time of each of N sequential round trips.
trips(Metric, Trip, Warm, N) ->
    [Trip(I) || I <- lists:seq(1, Warm)],
    Times = [begin
        T = now_ns(),
        Trip(I),
        now_ns() - T
    end || I <- lists:seq(1, N)],
    report(Metric ++ ".p50", share(Times, 0.5) / 1000),
    report(Metric ++ ".p99", share(Times, 0.99) / 1000).

%% Spawns N processes on the far node, ?FLIGHT at a time.
many(Far, N) ->
    [ask(Far) || _ <- lists:seq(1, ?FLIGHT)],
    many(Far, N - ?FLIGHT, N).

many(_, _, 0) -> ok;
many(Far, ToAsk, Open) ->
    receive {spawn_reply, _, ok, _} -> ok end,
    ToAsk > 0 andalso ask(Far),
    many(Far, max(0, ToAsk - 1), Open - 1).

ask(Far) -> spawn_request(Far, ?MODULE, nothing, [], [{reply, yes}]).

%% Sends a large message, and then small messages until the large one has arrived. Returns the
%% times of the small messages' round trips.
behind(Far, Large) ->
    {swallow, Far} ! {self(), Large},
    behind(Far, 0, []).

behind(Far, I, Delays) ->
    T = now_ns(),
    {echo, Far} ! {self(), I},
    receive I -> ok end,
    Delay = now_ns() - T,
    receive swallowed -> [Delay | Delays] after 0 -> behind(Far, I + 1, [Delay | Delays]) end.

echo() -> receive {From, Ball} -> From ! Ball, echo() end.
swallow() -> receive {From, _} -> From ! swallowed, swallow() end.
hello(From) -> From ! hello.
nothing() -> ok.

init(State) -> {ok, State}.
handle_call(Ball, _, State) -> {reply, Ball, State}.
handle_cast(_, State) -> {noreply, State}.

%% Returns the CPU seconds of both processes, in user and system mode.
cpu(Process) -> cpu_of("self") + cpu_of(Process).

cpu_of(Process) ->
    {ok, Bytes} = file:read_file("/proc/" ++ Process ++ "/stat"),
    [_, Rest] = string:split(binary_to_list(Bytes), ")", trailing),
    Fields = string:lexemes(Rest, " "),
    (list_to_integer(lists:nth(12, Fields)) + list_to_integer(lists:nth(13, Fields))) / 100.

report(Metric, Value) ->
    Text = float_to_list(float(Value), [{decimals, 6}]),
    io:format("{\"metric\":\"~s\",\"value\":~s}~n", [Metric, Text]).

median(Values) -> lists:nth((length(Values) + 1) div 2, lists:sort(Values)).

share(Values, Share) ->
    Sorted = lists:sort(Values),
    lists:nth(1 + floor(Share * (length(Sorted) - 1)), Sorted).

now_ns() -> erlang:monotonic_time(nanosecond).
