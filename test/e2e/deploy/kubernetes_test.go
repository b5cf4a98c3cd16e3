//go:build unix

package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/farwire/farwire/internal/harness"
)

// manifests are what kustomize would apply, by kind and name. A file that the
// kustomization does not name, and a field that is not known here, fail the test.
func manifests(t *testing.T) map[string]manifest {
	t.Helper()
	dir := filepath.Join(repository, "deploy/kubernetes")
	var k struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Namespace  string
		Resources  []string
		Images     []struct {
			Name    string
			NewName string `yaml:"newName"`
			NewTag  string `yaml:"newTag"`
		}
	}
	decodeAll(t, filepath.Join(dir, "kustomization.yaml"), func(n *yaml.Node) { decode(t, "kustomization.yaml", n, &k) })
	if k.Kind != "Kustomization" || k.Namespace != "farwire" || len(k.Images) != 1 || k.Images[0].Name != "farwire" {
		t.Fatalf("the kustomization is %+v", k)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != len(k.Resources)+1 {
		t.Errorf("there are %q, and the kustomization names %q", files, k.Resources)
	}
	all := make(map[string]manifest)
	for _, name := range k.Resources {
		decodeAll(t, filepath.Join(dir, name), func(n *yaml.Node) {
			var m manifest
			decode(t, name, n, &m)
			all[m.Kind+" "+m.Metadata.Name] = m
		})
	}
	return all
}

func decodeAll(t *testing.T, file string, each func(*yaml.Node)) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		each(&n)
	}
}

// decode refuses a field that v does not have: of a name misspelt a cluster would say
// so, and there is no cluster here.
func decode(t *testing.T, file string, n *yaml.Node, v any) {
	t.Helper()
	b, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// A podRun is a container, in the form that its process is started in here.
type podRun struct {
	container
	secrets map[string]string // the path in the pod to the key of the Secret
}

// pod returns the only container of a Deployment, and what its Secret volume holds.
func pod(t *testing.T, m manifest, ok bool) podRun {
	t.Helper()
	if !ok || m.Kind != "Deployment" || len(m.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("there is no Deployment of one container: %+v", m)
	}
	spec := m.Spec.Template.Spec
	for name, value := range m.Spec.Selector.MatchLabels {
		if m.Spec.Template.Metadata.Labels[name] != value {
			t.Errorf("%s does not select its own pods", m.Metadata.Name)
		}
	}
	c := podRun{container: spec.Containers[0], secrets: map[string]string{}}
	if s := spec.SecurityContext; !s.RunAsNonRoot || s.RunAsUser == 0 || s.FSGroup != s.RunAsUser || s.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("%s: the pod's security context is %+v", c.Name, s)
	}
	if s := c.SecurityContext; s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s: its security context is %+v", c.Name, s)
	}
	for _, mount := range c.VolumeMounts {
		at := slices.IndexFunc(spec.Volumes, func(v volume) bool { return v.Name == mount.Name })
		if at < 0 {
			t.Fatalf("%s: there is no volume %s", c.Name, mount.Name)
		}
		if s := spec.Volumes[at].Secret; s != nil {
			if s.SecretName != "farwire" || s.DefaultMode != 0o440 || !mount.ReadOnly {
				t.Errorf("%s: the secret is %+v", c.Name, s)
			}
			for _, item := range s.Items {
				c.secrets[mount.MountPath+"/"+item.Path] = item.Key
			}
			if len(s.Items) == 0 {
				c.secrets[mount.MountPath+"/"] = ""
			}
		}
	}
	return c
}

// run returns the container's command on this machine: a file of the Secret is the one
// that the page has made in dir, and words are replaced, each of which must be there.
func (c podRun) run(t *testing.T, dir string, words map[string]string) *exec.Cmd {
	t.Helper()
	local := func(value string) string {
		if fresh, ok := words[value]; ok {
			delete(words, value)
			return fresh
		}
		folder, base := filepath.Split(value)
		key, one := c.secrets[value]
		if _, whole := c.secrets[folder]; !one && !whole {
			return value
		} else if !one {
			key = base
		}
		file := filepath.Join(dir, key)
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s reads %s, and the page makes no such secret: %v", c.Name, value, err)
		}
		return file
	}
	var args []string
	for _, a := range c.Args {
		args = append(args, local(a))
	}
	var cmd *exec.Cmd
	if c.Image == "farwire" {
		cmd = harness.Farwire(t, args...)
	} else {
		cmd = exec.Command(harness.Look(t, "nats-server"), args...)
	}
	for _, v := range c.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+local(v.Value))
	}
	for word := range words {
		t.Errorf("%s does not say %q", c.Name, word)
	}
	return cmd
}

func (c podRun) port(t *testing.T, name string) string {
	t.Helper()
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	t.Fatalf("%s has no port %s", c.Name, name)
	return ""
}

// endsInTime returns the grace period of a Deployment, into which the sleep before
// SIGTERM and the drain of its container have to fit.
func (c podRun) endsInTime(t *testing.T, m manifest) (grace time.Duration) {
	t.Helper()
	var timeout time.Duration
	for _, v := range c.Env {
		if v.Name == "FARWIRE_DRAIN_TIMEOUT" {
			d, err := time.ParseDuration(v.Value)
			if err != nil {
				t.Fatal(err)
			}
			timeout = d
		}
	}
	grace = time.Duration(m.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	sleep := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if timeout == 0 || sleep+timeout >= grace {
		t.Errorf("%s: a sleep of %v and a drain of %v do not fit into %v", c.Name, sleep, timeout, grace)
	}
	return grace
}

// The manifests start what finds itself together: NATS, two gateways and an agent,
// with the flags, files and ports of the manifests and the secrets that the page makes.
// The probes ask for what the gateway serves, and a pod ends in time.
func TestKubernetes_Manifests_RunAndAreReady(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	dir := makeSecrets(t)
	get := func(name string) podRun { m, ok := all["Deployment "+name]; return pod(t, m, ok) }
	natsCell, gatewayCell, agentCell := get("nats"), get("gateway"), get("agent")

	natsAddr := harness.FreeAddr(t)
	nats := natsCell.run(t, dir, map[string]string{})
	nats.Args = append(nats.Args, "--addr", "127.0.0.1", "--port", portOf(natsAddr))
	server := harness.Start(t, nats)
	server.Await(server.Stderr, "Server is ready")

	// The Service's name is one of the cluster's DNS; here it is loopback.
	rewrite(t, filepath.Join(dir, "nats-url"), "nats:"+natsCell.port(t, "client"), natsAddr)
	key, _, _ := strings.Cut(read(t, filepath.Join(dir, "key")), "\n")
	var gateways []*harness.Gateway
	for range 2 {
		cmd := gatewayCell.run(t, dir, map[string]string{
			":" + gatewayCell.port(t, "http"): "127.0.0.1:0", ":" + gatewayCell.port(t, "admin"): "127.0.0.1:0", "/data": t.TempDir(),
		})
		cmd.Env = append(cmd.Env, "FARWIRE_BROWSER=none")
		g := harness.StartGateway(t, cmd)
		if strings.Contains(g.Stderr.String(), "is ignored") {
			t.Errorf("a variable of the manifest is not one of the program's: %s", g.Stderr)
		}
		gateways = append(gateways, g)
	}
	agent := harness.Start(t, agentCell.run(t, dir, map[string]string{"https://gateway.example.com": gateways[0].HTTP("")}))
	gateways[0].Await(gateways[0].Stderr, `"msg":"agent attached".*"slug":"at1"`)
	if strings.Contains(agent.Stderr.String(), "is ignored") {
		t.Errorf("a variable of the manifest is not one of the agent's: %s", agent.Stderr)
	}

	for name, probe := range map[string]*probe{"readiness": gatewayCell.ReadinessProbe, "liveness": gatewayCell.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port != "http" {
			t.Fatalf("the %s probe is %+v", name, probe)
		}
		for _, g := range gateways {
			if status, body := ask(t, g.HTTP(probe.HTTPGet.Path), ""); status != http.StatusOK {
				t.Errorf("the %s probe is answered with %d %s", name, status, body)
			}
		}
	}
	// Either reaches the agent, which has a link to one of them.
	for _, g := range gateways {
		eventually(t, "the echo of at1 answers", func() bool {
			status, _ := ask(t, g.HTTP("/to/agent=at1/http/echo.farwire.alt/"), key)
			return status == http.StatusOK
		})
	}

	// It ends within what is left of the grace period.
	grace := gatewayCell.endsInTime(t, all["Deployment gateway"])
	agentCell.endsInTime(t, all["Deployment agent"])
	if gatewayCell.Lifecycle.PreStop.Sleep.Seconds == 0 {
		t.Error("a gateway gets its SIGTERM while balancers still send it clients")
	}
	if p := gatewayCell.LivenessProbe; time.Duration(p.PeriodSeconds*p.FailureThreshold)*time.Second <= grace {
		t.Errorf("a gateway that drains is killed by its liveness probe: %+v", p)
	}
	// What gateways keep open through an agent does not keep it from ending.
	agent.Signal(harness.Terminate)
	if status := agent.Status(); status != 0 || strings.Contains(agent.Stderr.String(), "sessions are cut") {
		t.Errorf("the agent ended with status %d: %s", status, agent.Stderr)
	}
}

// The Services lead to the pods, and the budget counts them.
func TestKubernetes_Services_LeadToThePods(t *testing.T) {
	all := manifests(t)
	for name, kind := range map[string]string{"gateway": "http", "nats": "client"} {
		deployment, service := all["Deployment "+name], all["Service "+name]
		labels := deployment.Spec.Template.Metadata.Labels
		if service.Spec.Selector.Plain["app.kubernetes.io/name"] != labels["app.kubernetes.io/name"] || labels["app.kubernetes.io/name"] == "" {
			t.Errorf("the Service %s selects %v, not %v", name, service.Spec.Selector.Plain, labels)
		}
		if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].TargetPort != kind {
			t.Errorf("the Service %s leads to %+v", name, service.Spec.Ports)
		}
	}
	nats := all["Service nats"].Spec.Ports[0].Port
	if url := read(t, filepath.Join(makeSecrets(t), "nats-url")); !strings.HasSuffix(url, fmt.Sprintf("@nats:%d", nats)) {
		t.Errorf("the Service nats listens on port %d, and the page's secret is %q", nats, url)
	}
	for _, name := range []string{"gateway", "agent"} {
		budget, pods := all["PodDisruptionBudget "+name], all["Deployment "+name]
		if rolling := pods.Spec.Strategy.RollingUpdate; budget.Spec.MaxUnavailable != 1 || pods.Spec.Replicas < 2 ||
			rolling.MaxUnavailable != 0 || rolling.MaxSurge < 1 ||
			budget.Spec.Selector.MatchLabels["app.kubernetes.io/name"] != pods.Spec.Template.Metadata.Labels["app.kubernetes.io/name"] {
			t.Errorf("%s: the budget is %+v of %+v", name, budget.Spec, pods.Spec)
		}
	}
	for _, name := range []string{"gateway", "agent"} {
		c := all["Deployment "+name].Spec.Template.Spec.Containers[0]
		limit, goal := map[string]int{"1Gi": 1024, "512Mi": 512}[c.Resources.Limits.Memory], 0
		for _, v := range c.Env {
			if text, ok := strings.CutSuffix(v.Value, "MiB"); ok && v.Name == "GOMEMLIMIT" {
				goal, _ = strconv.Atoi(text) // what is no number is 0
			}
		}
		if goal < limit*8/10 || goal >= limit {
			t.Errorf("%s: the collector aims at %d MiB, and the limit is %d", name, goal, limit)
		}
	}
	if all["Deployment agent"].Spec.MinReady < 5 {
		t.Error("an agent's pod counts as ready before its agent can have attached")
	}
}

// makeSecrets runs what the page has to make them.
func makeSecrets(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	paste(t, dir, pageBlock(t, "secrets.sh"))
	return filepath.Join(dir, "secrets")
}

// paste runs commands of the page in a folder, and returns what they print. Programs are
// looked for there first.
func paste(t *testing.T, dir, commands string) string {
	t.Helper()
	program := harness.Farwire(t)
	if err := os.Symlink(program.Path, filepath.Join(dir, "farwire")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", commands)
	cmd.Dir, cmd.Env = dir, harness.Environ("PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func rewrite(t *testing.T, file, from, to string) {
	t.Helper()
	text := read(t, file)
	if !strings.Contains(text, from) {
		t.Fatalf("%s does not say %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, url, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Timeout}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
