%% Erlang's supervisor: gen_servers that are killed in bursts, and restarted. Its reports are formatted
%% as text, and discarded.
%%
%%     erl -noshell -start_epmd false -pa DIR -s restart main -extra 100 8 100
-module(restart).
-behaviour(supervisor).
-export([main/0, init/1, begin_child/2, log/2]).
-export([handle_call/3, handle_cast/2, handle_info/2]).

main() ->
    [Children, Bursts, Sustained] = [list_to_integer(A) || A <- init:get_plain_arguments()],
    ok = logger:remove_handler(default),
    ok = logger:add_handler(bench, ?MODULE, #{}),
    %% A new supervisor for each burst, so that earlier restarts do not count.
    [begin
        Times = [burst_of_new(Children, End) || _ <- lists:seq(1, Bursts)],
        report(atom_to_list(End), median(Times) / Children)
     end || End <- [kill, throw]],
    {ok, Sup} = supervisor:start_link(?MODULE, {Children, self()}),
    wait(Children),
    {T, _} = timer:tc(fun() -> [burst(Sup, Children, kill) || _ <- lists:seq(1, Sustained)] end),
    report("sustained", T / (Children * Sustained)),
    halt(0).

burst_of_new(Children, End) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {Children, self()}),
    wait(Children),
    %% The first burst is the warm-up.
    burst(Sup, Children, End),
    {T, _} = timer:tc(fun() -> burst(Sup, Children, End) end),
    unlink(Sup),
    Ref = monitor(process, Sup),
    exit(Sup, shutdown),
    %% A supervisor accepts "shutdown" from its parent only, so this one is killed. Its children
    %% exit with it.
    exit(Sup, kill),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    T.

burst(Sup, Children, End) ->
    [finish(Pid, End) || {_, Pid, _, _} <- supervisor:which_children(Sup), is_pid(Pid)],
    wait(Children).

finish(Pid, kill) -> exit(Pid, kill);
finish(Pid, throw) -> Pid ! finish.

wait(0) -> ok;
wait(N) -> receive began -> wait(N - 1) end.

report(Metric, Us) ->
    io:format("{\"metric\":\"~s\",\"value\":~.3f}~n", [Metric, Us / 1]).

median(L) -> lists:nth((length(L) + 1) div 2, lists:sort(L)).

log(Event, _) -> logger_formatter:format(Event, #{}), ok.

init({server, Owner}) -> Owner ! began, {ok, Owner};
init({Children, Owner}) ->
    Specs = [#{id => I, start => {?MODULE, begin_child, [I, Owner]}} || I <- lists:seq(1, Children)],
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 5}, Specs}}.

begin_child(_, Owner) -> gen_server:start_link(?MODULE, {server, Owner}, []).

handle_call(_, _, State) -> {reply, ok, State}.
handle_cast(_, State) -> {noreply, State}.
handle_info(finish, _) -> error(as_told).
