//go:build unix

package deploy

import "go.yaml.in/yaml/v3"

// The fields of Kubernetes that the manifests use, as its API spells them.

type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	Spec       spec
}

type metadata struct {
	Name   string
	Labels map[string]string
}

// A spec is a Deployment's, a Service's or a PodDisruptionBudget's.
type spec struct {
	Replicas       int
	MinReady       int `yaml:"minReadySeconds"`
	MaxUnavailable int `yaml:"maxUnavailable"`
	Selector       selector
	Strategy       struct {
		Type          string
		RollingUpdate struct {
			MaxUnavailable int `yaml:"maxUnavailable"`
			MaxSurge       int `yaml:"maxSurge"`
		} `yaml:"rollingUpdate"`
	}
	Template struct {
		Metadata metadata
		Spec     podSpec
	}
	Ports []struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}
}

// A selector is matchLabels, or of a Service the labels themselves.
type selector struct {
	MatchLabels map[string]string
	Plain       map[string]string
}

func (s *selector) UnmarshalYAML(n *yaml.Node) error {
	var nested struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	if err := n.Decode(&nested); err == nil && nested.MatchLabels != nil {
		s.MatchLabels = nested.MatchLabels
		return nil
	}
	return n.Decode(&s.Plain)
}

type podSpec struct {
	AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		RunAsGroup     int                   `yaml:"runAsGroup"`
		FSGroup        int                   `yaml:"fsGroup"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	TopologySpreadConstraints []struct {
		MaxSkew           int      `yaml:"maxSkew"`
		TopologyKey       string   `yaml:"topologyKey"`
		WhenUnsatisfiable string   `yaml:"whenUnsatisfiable"`
		LabelSelector     selector `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	Containers []container
	Volumes    []volume
}

type volume struct {
	Name   string
	Secret *struct {
		SecretName  string `yaml:"secretName"`
		DefaultMode int    `yaml:"defaultMode"`
		Items       []struct{ Key, Path string }
	}
	EmptyDir *struct{} `yaml:"emptyDir"`
}

type container struct {
	Name, Image    string
	Args           []string
	Env            []struct{ Name, Value string }
	Ports          []containerPort
	ReadinessProbe *probe `yaml:"readinessProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	Lifecycle      struct {
		PreStop struct {
			Sleep struct{ Seconds int }
		} `yaml:"preStop"`
	}
	Resources struct {
		Requests, Limits struct{ CPU, Memory string }
	}
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type containerPort struct {
	Name          string
	ContainerPort string `yaml:"containerPort"`
}

type probe struct {
	HTTPGet   *struct{ Path, Port string } `yaml:"httpGet"`
	TCPSocket *struct{ Port string }       `yaml:"tcpSocket"`

	PeriodSeconds    int `yaml:"periodSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}
